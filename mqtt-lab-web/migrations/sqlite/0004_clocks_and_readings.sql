-- Senders whose clock is wrong, and readings without a value.

alter table receive_window add column clock_offset integer;                     -- what is added to its times; null: its clock is right
alter table receive_window add column no_reading integer not null default 0;    -- arrived, with a number, and said that there is no value

alter table device_count add column no_reading integer not null default 0;
alter table device_count add column wrong_clock integer not null default 0;     -- stored, of an implausible time
