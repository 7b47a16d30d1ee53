-- @MADE_BY@
-- Who signs in, asked of the panel's database with little patience. Dovecot's own driver queues a question for a minute
-- or two while the database is away, and has no setting for it. Runs in auth-worker processes, a question at a time.

local postgres = assert(require("luasql.postgres").postgres())
local AWAY = "the database does not answer"
-- Seconds: a database that let us wait for this long is left alone for as long as the other says.
local SLOW, LEFT_ALONE = 2, 5
-- Seconds: a connection that rested for longer is made anew. A server that is frozen lets a question on an open connection
-- wait for ever, and nothing here could end that; a new connection has a time-out.
local RESTED = 2

local connection = nil
local answered_at = 0
local left_alone_until = 0

local function forget()
  if connection then
    pcall(connection.close, connection)
  end
  connection = nil
end

-- Raises where the database is away. It is told, too, to give up a question that takes longer than anybody waits.
local function connect()
  local now = os.time()
  if now < left_alone_until then
    error(AWAY)
  end
  local made = postgres:connect("@DATABASE@ tcp_user_timeout=3000")
  if not made then
    if os.time() - now >= SLOW then
      left_alone_until = os.time() + LEFT_ALONE
    end
    error(AWAY)
  end
  assert(made:execute("SET statement_timeout = 3000"))
  return made
end

-- The first row, or nil. Raises.
local function row_of(question, words)
  if connection and os.time() - answered_at > RESTED then
    forget()
  end
  connection = connection or connect()
  local escaped = {}
  for place, word in ipairs(words) do
    escaped[place] = connection:escape(word)
  end
  local cursor = assert(connection:execute(question:format(table.unpack(escaped))))
  local row = cursor:fetch({}, "a")
  cursor:close()
  answered_at = os.time()
  return row
end

-- Whether it was answered, and the first row. A connection that died meanwhile (a restart of the database) is made anew.
local function ask(question, ...)
  local was_connected = connection ~= nil
  local answered, row = pcall(row_of, question, {...})
  if not answered then
    forget()
    if was_connected then
      answered, row = pcall(row_of, question, {...})
      if not answered then
        forget()
      end
    end
  end
  return answered, row
end

-- The scheme stands in the value: {ARGON2ID}$… A password made for one mail program is known by its digest.
local SIGN_IN = [[SELECT "user", password FROM mail_lookup_sign_in('%s', '%s')]]
-- No space named: no limit.
local MAILBOX = [[SELECT home, quota_mb FROM mail_mailboxes WHERE address = '%s']]

function auth_passdb_lookup(request)
  local asked, digest = request:var_expand("%Lu"), request:var_expand("%{sha256:password}")
  local answered, account = ask(SIGN_IN, asked, digest)
  local mailbox = nil
  if answered and account then
    answered, mailbox = ask(MAILBOX, account.user)
  end
  if not answered then
    return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, AWAY
  end
  if not mailbox then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
  end
  local found = { user = account.user, password = account.password, userdb_home = "@MAIL_DIR@/" .. mailbox.home }
  if mailbox.quota_mb then
    found.userdb_quota_rule = "*:storage=" .. mailbox.quota_mb .. "M"
  end
  return dovecot.auth.PASSDB_RESULT_OK, found
end

function script_init()
  return 0
end

function script_deinit()
  forget()
end
