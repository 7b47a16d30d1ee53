// Security keys and passkeys (WebAuthn): asks the browser for one, and sends its answer with the form.
(() => {
  const options = JSON.parse(document.getElementById("key-options").textContent);
  const trouble = document.getElementById("key-trouble");

  const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
  const toText = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const withBytes = (list) => (list ?? []).map((key) => ({ ...key, id: toBytes(key.id) }));

  async function create({ publicKey }) {
    const key = await navigator.credentials.create({ publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
      excludeCredentials: withBytes(publicKey.excludeCredentials),
    } });
    return { ...described(key), response: {
      clientDataJSON: toText(key.response.clientDataJSON),
      attestationObject: toText(key.response.attestationObject),
      transports: key.response.getTransports?.() ?? [],
    } };
  }

  async function get({ publicKey }) {
    const key = await navigator.credentials.get({ publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      allowCredentials: withBytes(publicKey.allowCredentials),
    } });
    return { ...described(key), response: {
      clientDataJSON: toText(key.response.clientDataJSON),
      authenticatorData: toText(key.response.authenticatorData),
      signature: toText(key.response.signature),
      userHandle: key.response.userHandle ? toText(key.response.userHandle) : null,
    } };
  }

  function described(key) {
    return {
      type: key.type, id: key.id, rawId: toText(key.rawId),
      authenticatorAttachment: key.authenticatorAttachment ?? null,
      clientExtensionResults: key.getClientExtensionResults(),
    };
  }

  function complain(form, error) {
    const words = { InvalidStateError: "known", SecurityError: "unsupported", TypeError: "unsupported", NotSupportedError: "unsupported" };
    trouble.textContent = form.dataset[words[error?.name] ?? "cancelled"];
    trouble.hidden = false;
  }

  for (const form of document.querySelectorAll("form[data-key]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      trouble.hidden = true;
      try {
        const ask = form.dataset.key === "create" ? create : get;
        form.elements.credential.value = JSON.stringify(await ask(options.creation_options ?? options.request_options));
        form.submit();
      } catch (error) {
        complain(form, error);
      }
    });
  }
})();
