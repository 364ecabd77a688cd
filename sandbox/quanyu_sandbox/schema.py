"""The tables of the sandbox's world. Instants are integer microseconds UTC; documents are JSON text."""

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS staff (
  userid TEXT PRIMARY KEY COLLATE NOCASE, name TEXT NOT NULL, confirm_rate REAL NOT NULL DEFAULT 1,
  confirm_seconds REAL,
  own_welcome INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS customer (
  external_userid TEXT PRIMARY KEY, name TEXT NOT NULL, type INTEGER NOT NULL DEFAULT 1,
  gender INTEGER NOT NULL DEFAULT 0,
  unionid TEXT, openid TEXT, app_id TEXT, phone TEXT, staff TEXT, store_id TEXT,
  automatic INTEGER NOT NULL DEFAULT 1,
  read_rate REAL NOT NULL DEFAULT 0.7, open_rate REAL NOT NULL DEFAULT 0.6, redeem_rate REAL NOT NULL DEFAULT 0.35,
  block_rate REAL NOT NULL DEFAULT 0.01, purchase_rate REAL NOT NULL DEFAULT 0,
  read_seconds REAL, open_seconds REAL, redeem_seconds REAL, moved_in_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS follow (
  userid TEXT NOT NULL, external_userid TEXT NOT NULL, friend INTEGER NOT NULL DEFAULT 1,
  added_at INTEGER NOT NULL, add_way INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL DEFAULT '',
  remark TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', remark_company TEXT NOT NULL DEFAULT '',
  remark_mobiles TEXT NOT NULL DEFAULT '[]', chatted_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (userid, external_userid)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS follow_customer ON follow (external_userid);
CREATE TABLE IF NOT EXISTS follow_tag (
  userid TEXT NOT NULL, external_userid TEXT NOT NULL, tag_id TEXT NOT NULL,
  PRIMARY KEY (userid, external_userid, tag_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tag_group (
  group_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, place INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tag (
  tag_id TEXT PRIMARY KEY, group_id TEXT NOT NULL, name TEXT NOT NULL, place INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, UNIQUE (group_id, name));
CREATE TABLE IF NOT EXISTS contact_way (config_id TEXT PRIMARY KEY, body TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS mass (
  msgid TEXT PRIMARY KEY, number INTEGER NOT NULL UNIQUE, body_hash TEXT NOT NULL, content_key TEXT NOT NULL,
  text TEXT, attachments TEXT NOT NULL, sender TEXT, created_at INTEGER NOT NULL, cancelled_at INTEGER);
CREATE INDEX IF NOT EXISTS mass_body ON mass (body_hash);
CREATE TABLE IF NOT EXISTS task (
  msgid TEXT NOT NULL, userid TEXT NOT NULL, status INTEGER NOT NULL DEFAULT 0, sent_at INTEGER,
  PRIMARY KEY (msgid, userid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reminder (msgid TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (
  id INTEGER PRIMARY KEY AUTOINCREMENT, msgid TEXT NOT NULL, userid TEXT NOT NULL, external_userid TEXT NOT NULL,
  kind TEXT NOT NULL DEFAULT 'mass', status INTEGER NOT NULL DEFAULT 0, sent_at INTEGER, luck TEXT NOT NULL,
  page TEXT, send_token TEXT, effect_id TEXT,
  read_at INTEGER, opened_at INTEGER, opens INTEGER NOT NULL DEFAULT 0, asked_at INTEGER, redeemed_at INTEGER,
  order_id TEXT, outcome TEXT, UNIQUE (msgid, userid, external_userid));
CREATE INDEX IF NOT EXISTS delivery_customer ON delivery (external_userid, status, sent_at);
CREATE TABLE IF NOT EXISTS repeat (
  external_userid TEXT NOT NULL, content_key TEXT NOT NULL, times INTEGER NOT NULL,
  PRIMARY KEY (external_userid, content_key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS message (
  id INTEGER PRIMARY KEY AUTOINCREMENT, external_userid TEXT NOT NULL, userid TEXT NOT NULL, at INTEGER NOT NULL,
  author TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, delivery INTEGER, seen_at INTEGER);
CREATE INDEX IF NOT EXISTS message_chat ON message (external_userid, userid, id);
CREATE INDEX IF NOT EXISTS message_unseen ON message (external_userid) WHERE seen_at IS NULL;
CREATE TABLE IF NOT EXISTS agenda (
  key TEXT PRIMARY KEY, due_at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS agenda_due ON agenda (due_at, key);
CREATE TABLE IF NOT EXISTS outgoing (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, lane TEXT NOT NULL, payload TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'pending', tries INTEGER NOT NULL DEFAULT 0, answer TEXT, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS outgoing_pending ON outgoing (lane, id) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS welcome (
  code TEXT PRIMARY KEY, external_userid TEXT NOT NULL, userid TEXT NOT NULL, expires_at INTEGER NOT NULL,
  used_at INTEGER);
CREATE TABLE IF NOT EXISTS token (
  token TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS rate (
  path TEXT NOT NULL, span INTEGER NOT NULL, began INTEGER NOT NULL, calls INTEGER NOT NULL,
  PRIMARY KEY (path, span)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rate_block (path TEXT PRIMARY KEY, until INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rate_limit (path TEXT PRIMARY KEY, per_minute INTEGER NOT NULL, per_hour INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS fault (
  id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, kind TEXT NOT NULL, skip INTEGER NOT NULL DEFAULT 0,
  remaining INTEGER NOT NULL, happened INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0,
  errcode INTEGER NOT NULL DEFAULT -1);
CREATE TABLE IF NOT EXISTS call (
  id INTEGER PRIMARY KEY AUTOINCREMENT, wall_at INTEGER NOT NULL, at INTEGER NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, query TEXT NOT NULL, body_hash TEXT NOT NULL, body TEXT, errcode INTEGER NOT NULL,
  fault TEXT, executed INTEGER NOT NULL, subjects TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS call_path ON call (path, id);
CREATE TABLE IF NOT EXISTS media (
  media_id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, content_type TEXT NOT NULL, data BLOB NOT NULL,
  created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS staff_message (
  id INTEGER PRIMARY KEY AUTOINCREMENT, msgid TEXT NOT NULL, userid TEXT NOT NULL, at INTEGER NOT NULL,
  msgtype TEXT NOT NULL, body TEXT NOT NULL, content_hash TEXT NOT NULL, dropped TEXT);
CREATE INDEX IF NOT EXISTS staff_message_to ON staff_message (userid, at);
CREATE TABLE IF NOT EXISTS product (sku TEXT PRIMARY KEY, name TEXT NOT NULL, unit_price INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS webhook (
  id INTEGER PRIMARY KEY AUTOINCREMENT, wall_at INTEGER NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
  headers TEXT NOT NULL, body TEXT NOT NULL);
"""
