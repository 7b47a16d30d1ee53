-- @MADE_BY@
-- rspamd's own module signs with a domain's RSA key. This signs beside it, by the same settings, with the Ed25519 key of
-- a domain that has one: who does not know the one signature takes the other (RFC 8463, section 3).
local redis = require "lua_redis"
local tools = require "lua_dkim_tools"

local MODULE, SYMBOL = "dkim_signing", "DKIM_SIGNED_ED25519"
local settings = { domain = {}, selector = "dkim", try_fallback = true }
tools.process_signing_settings(MODULE, settings, rspamd_config:get_all_opt(MODULE) or {})

local function sign(task, key)
  if rspamd_plugins.dkim.sign(task, key) then
    task:insert_result(SYMBOL, 1.0, string.format("%s:s=%s", key.domain, key.selector))
  end
end

-- Ask Redis for a field of a hash; a domain without a key is nothing to speak of.
local function ask(task, hash, field, go_on)
  local function answered(err, answer)
    if not err and type(answer) == "string" then
      go_on(answer)
    end
  end
  redis.redis_make_request(task, settings.servers, field, false, answered, "HGET", { hash, field })
end

local function sign_beside(task)
  local is_ours, keys = tools.prepare_dkim_signing(MODULE, task, settings)
  if not is_ours then
    return
  end
  local domain = keys[1].domain
  ask(task, "DKIM_SELECTORS_ED25519", domain, function(selector)
    ask(task, settings.key_prefix, selector .. "." .. domain, function(key)
      sign(task, { domain = domain, selector = selector, rawkey = key })
    end)
  end)
end

settings.servers = redis.parse_redis_server(MODULE)
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
