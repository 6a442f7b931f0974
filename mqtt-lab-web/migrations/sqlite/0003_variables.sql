-- The users' own control variables, and the values of those in the lab's file.

create table variable (
    class text not null,                         -- the group; `group` is a word of SQL
    name text not null,
    definition text,                             -- what a user made it, as JSON; null: the lab's file says what it is
    value text,                                  -- the last one that was set, as JSON; null: none was
    primary key (class, name)
) strict, without rowid;
