-- @MADE_BY@
-- Who signs in, and where the mail of a mailbox is, asked of the panel's database with little patience. Dovecot's own
-- driver queues a question for a minute or two while the database is away, and has no setting for it; one that every
-- process makes anew when it starts. Runs in auth-worker processes, a question at a time.

local postgres = assert(require("luasql.postgres").postgres())
local AWAY = "the database does not answer"
-- Seconds: a database that let us wait for this long is left alone for as long as the other says.
local SLOW, LEFT_ALONE = 2, 5
-- Seconds: a connection that rested for longer is made anew, so that one serves those who come within the same second. A
-- server that is frozen lets a question on an open connection wait until Dovecot gives up after a minute, and nothing here
-- could end that; a new connection has a time-out. It takes some milliseconds, less than the hash of a password.
local RESTED = 0

-- Where webmail-panel-rehash listens, which makes a hash of ours of an old one; what ours begin with, and what the
-- password of one mail program does.
local REHASH, OURS, OF_A_PROGRAM = "@REHASH_SOCKET@", "@OUR_HASHES@", "{SHA256.HEX}"
-- Debian's lua-socket. Without it everybody signs in as ever, and old hashes stay.
local has_sockets, unix = pcall(require, "socket.unix")

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

-- Every row that is told, to the end of them. Raises.
local function rows_of(question, words)
  if connection and os.time() - answered_at > RESTED then
    forget()
  end
  connection = connection or connect()
  local escaped = {}
  for place, word in ipairs(words) do
    escaped[place] = connection:escape(word)
  end
  local cursor = assert(connection:execute(question:format(table.unpack(escaped))))
  local rows = {}
  local row = cursor:fetch({}, "a")
  while row do
    rows[#rows + 1] = row
    row = cursor:fetch({}, "a")
  end
  cursor:close()
  answered_at = os.time()
  return rows
end

-- Whether it was answered, and the rows. A connection that died meanwhile (a restart of the database) is made anew.
local function ask(question, ...)
  local was_connected = connection ~= nil
  local answered, rows = pcall(rows_of, question, {...})
  if not answered then
    forget()
    if was_connected then
      answered, rows = pcall(rows_of, question, {...})
      if not answered then
        forget()
      end
    end
  end
  return answered, rows
end

-- The scheme stands in the value: {ARGON2ID}$… A password made for one mail program is known by its digest.
local SIGN_IN = [[SELECT "user", password FROM mail_lookup_sign_in('%s', '%s')]]
-- No space named: no limit.
local MAILBOX = [[SELECT address, home, quota_mb FROM mail_lookup_mailbox('%s')]]

-- Where mail to an address would lie in the end, and how much may: of an alias of one, of a catch-all, of whoever has left.
-- Nobody's, where there are several, or where it leads out of the house.
local SPACE = [[SELECT address, home, quota_mb FROM mail_lookup_space('%s')]]
-- Who asks that: the service that answers Postfix at the door.
local AT_THE_DOOR = "quota-status"

-- Few enough that they fit into a process of Dovecot's beside what it has told already.
local PAGE = 10000
local ALL = "SELECT address FROM mail_mailboxes WHERE address > '%s' ORDER BY address LIMIT " .. PAGE

local function quota_rule(mailbox)
  return mailbox.quota_mb and "*:storage=" .. mailbox.quota_mb .. "M"
end

local function begins(text, beginning)
  return text:sub(1, #beginning) == beginning
end

-- Nobody waits: what finds no listener, or one that has enough to do, is lost, and the next sign-in comes.
local function hand_over(address, typed)
  local sender = unix.dgram()
  sender:settimeout(0)
  if sender:connect(REHASH) then
    sender:send(address .. "\0" .. typed)
  end
  sender:close()
end

-- The right password of somebody whose hash is another system's goes to the program that may write a new one. Whether it
-- is a wrong one, which goes nowhere, so that Dovecot need not compute that hash once more for whoever guesses.
local function is_wrong(request, account)
  if not has_sockets or begins(account.password, OURS) or begins(account.password, OF_A_PROGRAM) then
    return false
  end
  local typed = request:var_expand("%w")
  if typed == "" then
    return false -- somebody looks up what there is, without a password
  end
  local fits = request:password_verify(account.password, typed)
  if fits > 0 then
    pcall(hand_over, account.user, typed)
  end
  return fits == 0
end

function auth_passdb_lookup(request)
  local asked, digest = request:var_expand("%Lu"), request:var_expand("%{sha256:password}")
  local answered, accounts = ask(SIGN_IN, asked, digest)
  local account, mailboxes = answered and accounts[1], {}
  if account then
    answered, mailboxes = ask(MAILBOX, account.user)
  end
  if not answered then
    return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, AWAY
  end
  local mailbox = mailboxes[1]
  -- No password: a second factor, and this was none made for a mail program. Dovecot would remember that there is none, and
  -- refuse the right one next.
  if not mailbox or not account.password then
    return dovecot.auth.PASSDB_RESULT_USER_UNKNOWN, ""
  end
  if is_wrong(request, account) then
    return dovecot.auth.PASSDB_RESULT_PASSWORD_MISMATCH, ""
  end
  return dovecot.auth.PASSDB_RESULT_OK, {
    user = account.user,
    password = account.password,
    userdb_home = "@MAIL_DIR@/" .. mailbox.home,
    userdb_quota_rule = quota_rule(mailbox),
  }
end

function auth_userdb_lookup(request)
  local question = request:var_expand("%s") == AT_THE_DOOR and SPACE or MAILBOX
  local answered, mailboxes = ask(question, request:var_expand("%Lu"))
  if not answered then
    return dovecot.auth.USERDB_RESULT_INTERNAL_FAILURE, AWAY
  end
  local mailbox = mailboxes[1]
  if not mailbox then
    return dovecot.auth.USERDB_RESULT_USER_UNKNOWN, ""
  end
  return dovecot.auth.USERDB_RESULT_OK, {
    user = mailbox.address,
    home = "@MAIL_DIR@/" .. mailbox.home,
    quota_rule = quota_rule(mailbox),
  }
end

-- Everybody, for `doveadm -A`. Raises, so that nobody takes a part for the whole.
function auth_userdb_iterate()
  local found, last = {}, ""
  repeat
    local answered, mailboxes = ask(ALL, last)
    if not answered then
      error(AWAY)
    end
    for _, mailbox in ipairs(mailboxes) do
      last = mailbox.address
      found[#found + 1] = last
    end
  until #mailboxes < PAGE
  return found
end

function script_init()
  if not has_sockets then
    dovecot.i_warning("hashes of other systems stay as they are: Debian's lua-socket is not installed")
  end
  return 0
end

function script_deinit()
  forget()
end
