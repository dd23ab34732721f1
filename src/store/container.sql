-- In both databases: containers and labels. Part of version 1 of meta.sql and state.sql.
-- Numbers of 64 bits (instances, start times) are stored as the signed number of the same bits.
-- Times are nanoseconds since 1970, UTC.

-- Labels of every kind of object. They go when their object goes: no triggers, since each costs
-- every opening of the database 10 µs; gc takes what is left.
-- kind: enum store_kind of store.h. object: its name; a snapshot's is snapshotter/key.
-- A namespace's labels have ns ''.
CREATE TABLE labels (
	kind INTEGER NOT NULL,
	ns TEXT NOT NULL,
	object TEXT NOT NULL,
	key TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (kind, ns, object, key)
) STRICT, WITHOUT ROWID;

-- The records of containers: in meta.db those that are kept, in state.db those of `run --rm`.
-- An ID stands in at most one of the two: it is claimed under its lock file.
-- snapshotter and snapshot_key are '' for a container that stands on a folder (--rootfs).
-- spec: the runtime spec, as JSON.
CREATE TABLE containers (
	ns TEXT NOT NULL,
	id TEXT NOT NULL,
	instance INTEGER NOT NULL,
	image TEXT NOT NULL,
	image_digest TEXT NOT NULL,
	snapshotter TEXT NOT NULL,
	snapshot_key TEXT NOT NULL,
	runtime TEXT NOT NULL,
	runtime_options TEXT NOT NULL,
	sandbox TEXT NOT NULL,
	spec TEXT NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	PRIMARY KEY (ns, id)
) STRICT;

-- Extensions of a container, e.g. ctr.cni-containerd.metadata. value: JSON.
CREATE TABLE extensions (
	ns TEXT NOT NULL,
	id TEXT NOT NULL,
	key TEXT NOT NULL,
	type_url TEXT NOT NULL,
	value TEXT NOT NULL,
	PRIMARY KEY (ns, id, key),
	FOREIGN KEY (ns, id) REFERENCES containers ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
