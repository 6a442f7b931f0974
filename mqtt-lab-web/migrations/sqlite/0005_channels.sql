-- What a person said of a channel that its device does not describe.

create table channel (
    device_id integer not null references device (id),
    name text not null,
    datatype text,                               -- null: its values tell
    unit text,
    quantity text,
    label text,
    choices text,                                -- as JSON
    primary key (device_id, name)
) strict, without rowid;
