-- state.db, version 1: what lives until the next boot. Never synced; thrown away when the boot
-- changes. container.sql comes before this.

-- Tasks: what runs, or ran and wasn't removed. A life is named by its instance.
-- Pids stand with their start times (field 22 of /proc/PID/stat); 0 is "not yet".
-- owner: the CLI, until there is a monitor. netns: GUID of /run/netns/cni-<guid>.
-- cni: DEL is owed, for the container ID network_id. upper: uppers/<instance> is its own.
-- snapshotter, layers: the committed snapshot that it stands on; gc leaves it alone. '' is none.
CREATE TABLE tasks (
	ns TEXT NOT NULL,
	id TEXT NOT NULL,
	instance INTEGER NOT NULL,
	owner_pid INTEGER NOT NULL,
	owner_start INTEGER NOT NULL,
	monitor_pid INTEGER NOT NULL,
	monitor_start INTEGER NOT NULL,
	init_pid INTEGER NOT NULL,
	init_start INTEGER NOT NULL,
	netns TEXT NOT NULL,
	cni INTEGER NOT NULL,
	network_id TEXT NOT NULL,
	upper INTEGER NOT NULL,
	cgroup TEXT NOT NULL,
	snapshotter TEXT NOT NULL,
	layers TEXT NOT NULL,
	log_uri TEXT NOT NULL,
	terminal INTEGER NOT NULL,
	detached INTEGER NOT NULL,
	created INTEGER NOT NULL,
	PRIMARY KEY (ns, id)
) STRICT;
