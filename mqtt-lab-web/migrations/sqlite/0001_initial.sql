-- Times are microseconds since the Unix epoch. `strict`: a column holds what it says.

create table meta (
    key text not null primary key,
    value text not null
) strict, without rowid;

create table device (
    id integer primary key,
    class text not null,                         -- the group; `group` is a word of SQL
    name text not null,                          -- the device's id within its group
    given_name text,                             -- what a person called it
    hidden integer not null default 0,
    removed integer not null default 0,          -- its description was taken back; the history stays
    info text,                                   -- the last description, as it travels
    state text,                                  -- null: it never said
    state_cause text,
    state_t integer,
    announced_state text,                        -- the last word on `$state`
    error text,
    created integer not null,
    unique (class, name)
) strict;

-- Apart from `device`, so that a batch can update many of them in one statement.
create table device_count (
    device_id integer not null primary key references device (id),
    received integer not null,
    duplicate integer not null,
    refused integer not null,
    refusal text,                                -- why the last one was refused
    last_seen integer not null
) strict;

create table series (
    id integer primary key,
    device_id integer not null references device (id),
    channel text not null,
    datatype text not null,
    unit text,
    created integer not null,
    unique (device_id, channel, datatype)
) strict;

-- Numbers; ints (within 2^53) and truth values are exact. No foreign key on the hot tables: it
-- costs a lookup per row, and series are never deleted.
create table sample (
    series_id integer not null,
    t integer not null,
    value real not null,
    primary key (series_id, t)
) strict, without rowid;

create table sample_text (
    series_id integer not null,
    t integer not null,
    value text not null,
    primary key (series_id, t)
) strict, without rowid;

create table rollup_minute (
    series_id integer not null,
    t integer not null,                          -- begin of the minute
    count integer not null,
    min real not null,
    max real not null,
    sum real not null,
    primary key (series_id, t)
) strict, without rowid;

create table rollup_hour (
    series_id integer not null,
    t integer not null,                          -- begin of the hour
    count integer not null,
    min real not null,
    max real not null,
    sum real not null,
    primary key (series_id, t)
) strict, without rowid;

-- Which numbers of one life of a device have arrived.
create table receive_window (
    device_id integer not null references device (id),
    boot text not null,
    ranges text not null,                        -- `1-17,19-40`: received, or given up
    given_up integer not null,                   -- numbers in `ranges` that never arrived
    sent integer not null,                       -- what the sender said it sent
    epoch integer,                               -- when the sender without a clock booted
    updated integer not null,
    primary key (device_id, boot)
) strict, without rowid;

-- Losses of lives whose window was dropped, so that the sum stays true.
create table forgotten_loss (
    device_id integer not null primary key references device (id),
    lost integer not null
) strict, without rowid;

create table state_history (
    id integer primary key,
    device_id integer not null references device (id),
    t integer not null,
    state text not null,
    cause text not null
) strict;
create index state_history_of_device on state_history (device_id, id);

create table command (
    id text not null primary key,
    device_id integer not null references device (id),
    channel text not null,
    value text not null,                         -- as JSON
    state text not null,
    error text,
    sent integer not null,
    ended integer
) strict;
create index command_of_device on command (device_id, sent);
create index command_pending on command (state) where state = 'pending';
