-- @MADE_BY@
-- Whose letters are signed with which domain, and the signature with Ed25519 beside rspamd's own with RSA.
local maps = require "lua_maps"
local redis = require "lua_redis"
local tools = require "lua_dkim_tools"
local util = require "rspamd_util"

local networks = maps.map_add_from_ucl({ @NETWORKS@ }, "radix", "hosts whose mail is signed")

local function domain_of(address)
  local domain = (address or ""):match("@([^@]+)$")
  return domain and domain:lower()
end

-- The domain in From, if the letter comes from somebody who signed in, from a host of ours or by the listener for replies
-- (whose name master.cf gives); nil: it is not signed. Without a domain in the envelope somebody who signed in has that of
-- the account alone: of the envelope's Postfix has seen to it that it is theirs.
function PANEL_SIGNING_DOMAIN(task)
  local from, envelope, user = task:get_from("mime"), task:get_from("smtp"), task:get_user()
  local named = from and from[1] and domain_of(from[1].addr)
  if not user then
    local is_reply = tostring(task:get_request_header("MTA-Name") or "") == "replies"
    return (is_reply or networks:get_key(task:get_from_ip())) and named or nil
  end
  local has_envelope = envelope and envelope[1] and #(envelope[1].addr or "") > 0
  return (has_envelope or domain_of(user) == named) and named or nil
end

-- Who does not know the one signature takes the other (RFC 8463, section 3). rspamd's own module finds one key of a domain
-- in Redis; this asks for the other, by the same settings.
local MODULE, SYMBOL = "dkim_signing", "DKIM_SIGNED_ED25519"
local settings = { domain = {}, selector = "dkim", try_fallback = true }
tools.process_signing_settings(MODULE, settings, rspamd_config:get_all_opt(MODULE) or {})
settings.servers = redis.parse_redis_server(MODULE)

-- Ask Redis for a field of a hash; a domain without a key is nothing to speak of.
local function ask(task, hash, field, go_on)
  local function answered(err, answer)
    if not err and type(answer) == "string" then
      go_on(answer)
    end
  end
  redis.redis_make_request(task, settings.servers, field, false, answered, "HGET", { hash, field })
end

local function sign(task, key)
  if rspamd_plugins.dkim.sign(task, key) then
    task:insert_result(SYMBOL, 1.0, string.format("%s:s=%s", key.domain, key.selector))
  end
end

-- rspamd takes a key in base64 for the name of a file, or for nothing, if it begins with a slash, as one in 64 does: then
-- it gets the octets, of which the first is 252 or more.
local function readable(key)
  return key:sub(1, 1) == "/" and tostring(util.decode_base64(key)) or key
end

local function sign_beside(task)
  local is_ours, keys = tools.prepare_dkim_signing(MODULE, task, settings)
  if not is_ours then
    return
  end
  local domain = keys[1].domain
  ask(task, "DKIM_SELECTORS_ED25519", domain, function(selector)
    ask(task, settings.key_prefix, selector .. "." .. domain, function(key)
      sign(task, { domain = domain, selector = selector, rawkey = readable(key) })
    end)
  end)
end

if settings.servers then
  rspamd_config:register_symbol({
    name = SYMBOL,
    callback = sign_beside,
    groups = { "policies", "dkim" },
    flags = "ignore_passthrough",
    score = 0.0,
  })
  -- One after the other: each adds its signature to those that are there.
  rspamd_config:register_dependency(SYMBOL, "DKIM_SIGNED")
end
