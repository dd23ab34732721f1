-- meta.db, version 1: what is kept. container.sql comes before this.
-- A row here never names a file or folder that is not on disk.

-- Namespaces: made by hand or with the first object in them.
CREATE TABLE namespaces (
	name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Blobs: the file is content/blobs/sha256/<hex>, one for all namespaces; a row for each that has it.
CREATE TABLE blobs (
	ns TEXT NOT NULL,
	digest TEXT NOT NULL,
	media_type TEXT NOT NULL,
	size INTEGER NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	PRIMARY KEY (ns, digest)
) STRICT, WITHOUT ROWID;

-- Which blobs a blob names (index, manifest): who keeps source keeps target.
CREATE TABLE blob_references (
	ns TEXT NOT NULL,
	source TEXT NOT NULL,
	target TEXT NOT NULL,
	PRIMARY KEY (ns, source, target),
	FOREIGN KEY (ns, source) REFERENCES blobs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Images: a name for a blob, which is an index or a manifest.
CREATE TABLE images (
	ns TEXT NOT NULL,
	name TEXT NOT NULL,
	media_type TEXT NOT NULL,
	digest TEXT NOT NULL,
	size INTEGER NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	PRIMARY KEY (ns, name)
) STRICT, WITHOUT ROWID;

-- Manifests of one platform each, with what a start needs of them.
-- config: the image config as the confined worker wrote it anew. chain_id: key of the snapshot of
-- all layers, '' without layers; gc keeps it. size: of the manifest; total_size: with config and
-- layers.
CREATE TABLE manifests (
	ns TEXT NOT NULL,
	digest TEXT NOT NULL,
	media_type TEXT NOT NULL,
	size INTEGER NOT NULL,
	platform TEXT NOT NULL,
	config_digest TEXT NOT NULL,
	config TEXT NOT NULL,
	chain_id TEXT NOT NULL,
	total_size INTEGER NOT NULL,
	PRIMARY KEY (ns, digest),
	FOREIGN KEY (ns, digest) REFERENCES blobs ON DELETE CASCADE
) STRICT;

-- Layers of a manifest, position 0 at the bottom. The blob may be gone once it is unpacked.
CREATE TABLE layers (
	ns TEXT NOT NULL,
	manifest TEXT NOT NULL,
	position INTEGER NOT NULL,
	media_type TEXT NOT NULL,
	digest TEXT NOT NULL,
	size INTEGER NOT NULL,
	diff_id TEXT NOT NULL,
	PRIMARY KEY (ns, manifest, position),
	FOREIGN KEY (ns, manifest) REFERENCES manifests ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

-- Manifests below an image's target (its digest), the best platform at position 0.
CREATE TABLE targets (
	ns TEXT NOT NULL,
	target TEXT NOT NULL,
	position INTEGER NOT NULL,
	manifest TEXT NOT NULL,
	PRIMARY KEY (ns, target, position),
	FOREIGN KEY (ns, manifest) REFERENCES manifests ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX targets_manifest ON targets (ns, manifest);

-- The counter of each snapshotter: numbers are never used again.
CREATE TABLE snapshotters (
	name TEXT PRIMARY KEY,
	last_number INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Snapshots. kind: enum store_snapshot_kind of store.h. The folder is
-- snapshots/<snapshotter>/<number>. parent: NULL for none. size, inodes: of committed ones.
-- condemned: a collector looks whether anybody uses it; who finds it so waits for content/lock.
CREATE TABLE snapshots (
	ns TEXT NOT NULL,
	snapshotter TEXT NOT NULL,
	key TEXT NOT NULL,
	parent TEXT,
	kind INTEGER NOT NULL,
	number INTEGER NOT NULL,
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	size INTEGER NOT NULL,
	inodes INTEGER NOT NULL,
	condemned INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (ns, snapshotter, key),
	UNIQUE (snapshotter, number),
	FOREIGN KEY (ns, snapshotter, parent) REFERENCES snapshots
) STRICT, WITHOUT ROWID;
CREATE INDEX snapshots_parent ON snapshots (ns, snapshotter, parent);
CREATE INDEX snapshots_condemned ON snapshots (condemned) WHERE condemned <> 0;

-- Leases keep what they name from the collector until they expire (0: never).
CREATE TABLE leases (
	ns TEXT NOT NULL,
	id TEXT NOT NULL,
	created INTEGER NOT NULL,
	expires INTEGER NOT NULL,
	PRIMARY KEY (ns, id)
) STRICT, WITHOUT ROWID;

-- What a lease names. kind: enum store_kind (blob or snapshot). snapshotter: '' for blobs.
CREATE TABLE lease_resources (
	ns TEXT NOT NULL,
	lease TEXT NOT NULL,
	kind INTEGER NOT NULL,
	snapshotter TEXT NOT NULL,
	name TEXT NOT NULL,
	PRIMARY KEY (ns, lease, kind, snapshotter, name),
	FOREIGN KEY (ns, lease) REFERENCES leases ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
