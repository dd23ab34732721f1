// SPDX-License-Identifier: Apache-2.0
#include "store/database.h"
#include "base/text.h"
#include "sys/sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <time.h>

// A log is written back once it has so many pages (of 4 KiB). The first who opens a database reads
// its whole log: that is what every start of a container would pay.
enum { LOG_PAGES = 32 };
enum { KEPT_STATEMENTS = 24 };

struct database {
	const struct schema *schema;
	int dirfd; // borrowed
	sqlite3 *handle;
	enum { SYNCHRONOUS_UNKNOWN, SYNCHRONOUS_NORMAL, SYNCHRONOUS_FULL } synchronous;
	int64_t waiting_since_ms;
	char *log_index; // path of the file with the locks of the log
	struct {
		const char *sql;
		sqlite3_stmt *statement;
		bool busy;
	} kept[KEPT_STATEMENTS];
	int next_slot;
};

// --- room -----------------------------------------------------------------------------------

// Even removing needs room: SQLite's log grows before anything is given back. So a file beside the
// database keeps some, and is let go when the disk is full. Where there is room again the next
// opening takes it back.
#define RESERVE ".reserve"
enum {
	RESERVE_SIZE = 512 << 10, // what a few removals write, and the checkpoint behind them
	NEEDED = 256 << 10,       // less than this is a full disk
	PLENTY = 32 << 20,
};

// bavail, though root may have more: ext4 counts as free what it keeps for itself.
static uint64_t room(int dirfd)
{
	struct statvfs fs;
	return fstatvfs(dirfd, &fs) < 0 ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
}

static void release_reserve(int dirfd)
{
	if (room(dirfd) >= NEEDED)
		return;
	auto_fd int fd = openat(dirfd, RESERVE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		ignore(ftruncate(fd, 0)); // the write behind us says what lacks
}

static void keep_reserve(int dirfd)
{
	struct stat st;
	if (fstatat(dirfd, RESERVE, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_size == RESERVE_SIZE)
		return;
	if (room(dirfd) < PLENTY)
		return;
	auto_fd int fd = openat(dirfd, RESERVE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && fallocate(fd, 0, 0, RESERVE_SIZE) < 0)
		ignore(ftruncate(fd, 0)); // a file system without it: removing needs room there
}

// --- errors, waiting ------------------------------------------------------------------------

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int wait_for_others(void *arg, int n_calls)
{
	struct database *d = arg;
	if (n_calls == 0)
		d->waiting_since_ms = now_ms();
	else if (now_ms() - d->waiting_since_ms > d->schema->wait_limit_ms)
		return 0;
	int64_t ns = 200000 + (int64_t)n_calls * 100000;
	struct timespec pause = {.tv_nsec = ns < 5000000 ? ns : 5000000};
	ignore(nanosleep(&pause, NULL)); // EINTR only shortens it
	return 1;
}

// Who holds the database, for the message alone; 0 if that can't be seen. /proc/locks, since the
// lock file must not be opened: closing it would drop SQLite's own locks of this process (POSIX
// record locks, fcntl(2)). Byte 120 of it is the writer's lock (sqlite.org/walformat.html).
static uint64_t holder(const struct database *d)
{
	struct stat st;
	if (stat(d->log_index, &st) < 0)
		return 0;
	auto_free char *locks = NULL;
	auto_error struct error *unseen = file_read(AT_FDCWD, "/proc/locks", 1 << 20, &locks, NULL);
	if (unseen)
		return 0;
	auto_free char *file = alloc_printf(" %02x:%02x:%llu ", major(st.st_dev), minor(st.st_dev),
	                                    (unsigned long long)st.st_ino);
	for (const char *at = locks; (at = strstr(at, file)); at++) {
		unsigned long long first, last;
		if (sscanf(at + strlen(file), "%llu %llu", &first, &last) != 2 || first > 120 ||
		    last < 120)
			continue;
		const char *pid = at;
		while (pid > locks && pid[-1] >= '0' && pid[-1] <= '9')
			pid--;
		unsigned long long value;
		if (sscanf(pid, "%llu", &value) == 1)
			return value;
	}
	return 0;
}

static struct error *busy(const struct database *d)
{
	unsigned long long pid = holder(d);
	if (!pid)
		return error_new(ERROR_BUSY, "the store is busy: %s", d->schema->file);
	return error_new(ERROR_BUSY, "the store is busy: process %llu writes %s", pid,
	                 d->schema->file);
}

static struct error *failure(const struct database *d, int code)
{
	const char *file = d->schema->file;
	switch (code & 0xff) {
	case SQLITE_BUSY:
		return busy(d);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return error_new(ERROR_CORRUPT, "%s is damaged: %s", file,
		                 sqlite3_errmsg(d->handle));
	case SQLITE_FULL:
		return error_system(ENOSPC, "%s", file);
	case SQLITE_READONLY:
		return error_system(EROFS, "%s", file);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN: {
		int sys = sqlite3_system_errno(d->handle);
		return error_system(sys ? sys : EIO, "%s", file);
	}
	default:
		return error_new(ERROR_SYSTEM, "%s: %s", file, sqlite3_errmsg(d->handle));
	}
}

// --- statements -----------------------------------------------------------------------------

static fallible prepare(struct database *d, const char *sql, struct rows *ret)
{
	int free_slot = -1;
	for (int i = 0; i < KEPT_STATEMENTS; i++) {
		int slot = (d->next_slot + i) % KEPT_STATEMENTS;
		if (d->kept[slot].busy)
			continue;
		if (d->kept[slot].sql == sql) {
			d->kept[slot].busy = true;
			*ret = (struct rows){d, d->kept[slot].statement, slot};
			return NULL;
		}
		if (free_slot < 0)
			free_slot = slot;
	}
	sqlite3_stmt *statement;
	int code =
		sqlite3_prepare_v3(d->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, NULL);
	if (code != SQLITE_OK)
		return failure(d, code);
	if (free_slot >= 0) {
		sqlite3_finalize(d->kept[free_slot].statement);
		d->kept[free_slot].sql = sql;
		d->kept[free_slot].statement = statement;
		d->kept[free_slot].busy = true;
		d->next_slot = (free_slot + 1) % KEPT_STATEMENTS;
	}
	*ret = (struct rows){d, statement, free_slot};
	return NULL;
}

void rows_done(struct rows *r)
{
	if (!r->statement)
		return;
	if (r->slot < 0) {
		sqlite3_finalize(r->statement);
	} else {
		sqlite3_reset(r->statement);
		r->database->kept[r->slot].busy = false;
	}
	r->statement = NULL;
}

fallible database_query(struct database *d, const char *sql, const struct value *values,
                        struct rows *ret)
{
	auto_rows struct rows r = {0};
	TRY(prepare(d, sql, &r));
	for (int i = 0; values[i].type != VALUE_END; i++) {
		const struct value *v = &values[i];
		const char *text = !v->text && v->type == VALUE_TEXT ? "" : v->text;
		// Static: the caller's texts outlive the statement's run.
		int code = v->type == VALUE_NUMBER
		                   ? sqlite3_bind_int64(r.statement, i + 1, v->number)
		                   : sqlite3_bind_text(r.statement, i + 1, text, -1, SQLITE_STATIC);
		if (code != SQLITE_OK)
			return failure(d, code);
	}
	*ret = r;
	r.statement = NULL;
	return NULL;
}

fallible rows_next(struct rows *r, bool *ret)
{
	int code = sqlite3_step(r->statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return failure(r->database, code);
	*ret = code == SQLITE_ROW;
	return NULL;
}

const char *rows_text(const struct rows *r, int i, struct arena *arena)
{
	const void *text = sqlite3_column_text(r->statement, i);
	return text ? arena_bytes(arena, text, (size_t)sqlite3_column_bytes(r->statement, i)) : "";
}

int64_t rows_number(const struct rows *r, int i)
{
	return sqlite3_column_int64(r->statement, i);
}

fallible database_do(struct database *d, const char *sql, const struct value *values,
                     int64_t *ret_changes)
{
	auto_rows struct rows r = {0};
	TRY(database_query(d, sql, values, &r));
	bool more = true;
	while (more)
		TRY(rows_next(&r, &more));
	if (ret_changes)
		*ret_changes = sqlite3_changes64(d->handle);
	return NULL;
}

fallible database_collect(struct database *d, const char *sql, const struct value *values,
                          struct arena *arena, size_t size,
                          void (*read)(const struct rows *r, struct arena *arena, void *item),
                          void *ret_items, size_t *ret_n)
{
	auto_rows struct rows r = {0};
	TRY(database_query(d, sql, values, &r));
	auto_free char *items = NULL;
	size_t n = 0, capacity = 0;
	for (;;) {
		bool has;
		TRY(rows_next(&r, &has));
		if (!has)
			break;
		alloc_grow(&items, &capacity, n, size);
		read(&r, arena, items + n++ * size);
	}
	*(void **)ret_items = n ? arena_bytes(arena, items, n * size) : NULL;
	*ret_n = n;
	return NULL;
}

fallible database_has(struct database *d, const char *sql, const struct value *values, bool *ret)
{
	auto_rows struct rows r = {0};
	TRY(database_query(d, sql, values, &r));
	return rows_next(&r, ret);
}

// --- transactions ---------------------------------------------------------------------------

static const char *const begin_sql[] = {
	[TRANSACTION_READ] = "BEGIN",
	[TRANSACTION_WRITE] = "BEGIN IMMEDIATE",
	[TRANSACTION_DURABLE] = "BEGIN IMMEDIATE",
};

static fallible set_synchronous(struct database *d, bool full)
{
	if (!d->schema->kept || d->synchronous == (full ? SYNCHRONOUS_FULL : SYNCHRONOUS_NORMAL))
		return NULL;
	d->synchronous = full ? SYNCHRONOUS_FULL : SYNCHRONOUS_NORMAL;
	return database_do(d, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
	                   NO_VALUES, NULL);
}

fallible database_transaction(struct database *d, enum transaction kind,
                              struct error *(*body)(void *arg), void *arg)
{
	if (kind != TRANSACTION_READ) {
		release_reserve(d->dirfd);
		TRY(set_synchronous(d, kind == TRANSACTION_DURABLE));
	}
	TRY(database_do(d, begin_sql[kind], NO_VALUES, NULL));
	struct error *e = body(arg);
	if (!e)
		e = database_do(d, "COMMIT", NO_VALUES, NULL);
	// After a full disk SQLite may have rolled back by itself.
	if (e && !sqlite3_get_autocommit(d->handle))
		e = error_join(e, database_do(d, "ROLLBACK", NO_VALUES, NULL));
	return e;
}

// --- the log --------------------------------------------------------------------------------

fallible database_checkpoint(struct database *d)
{
	sqlite3_busy_handler(d->handle, NULL, NULL); // a reader keeps it: the next one writes back
	int code =
		sqlite3_wal_checkpoint_v2(d->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	sqlite3_busy_handler(d->handle, wait_for_others, d);
	if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED)
		return NULL;
	return failure(d, code);
}

static int after_commit(void *arg, sqlite3 *handle, const char *schema_name, int n_pages)
{
	ignore(handle);
	ignore(schema_name);
	if (n_pages < LOG_PAGES)
		return SQLITE_OK;
	// The commit stands already: what fails here is the next one's to report.
	auto_error struct error *unimportant = database_checkpoint(arg);
	return SQLITE_OK;
}

fallible database_check(struct database *d)
{
	auto_rows struct rows r = {0};
	TRY(database_query(d, "PRAGMA quick_check(1)", NO_VALUES, &r));
	bool has;
	TRY(rows_next(&r, &has));
	auto_arena struct arena *a = arena_new();
	const char *verdict = has ? rows_text(&r, 0, a) : "no answer";
	if (strcmp(verdict, "ok") != 0)
		return error_new(ERROR_CORRUPT, "%s is damaged: %s", d->schema->file, verdict);
	return NULL;
}

// --- opening --------------------------------------------------------------------------------

static void set_up_library(void)
{
	static bool done;
	if (done)
		return;
	done = true;
	ignore(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD)); // refused: it costs some locking
	ignore(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0));
}

static fallible connect(struct database *d, const char *path)
{
	int code = sqlite3_open_v2(path, &d->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
	                           NULL);
	if (code != SQLITE_OK)
		return failure(d, code);
	sqlite3_extended_result_codes(d->handle, 1);
	sqlite3_busy_handler(d->handle, wait_for_others, d);
	sqlite3_db_config(d->handle, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
	if (!d->schema->kept)
		return database_do(d, "PRAGMA synchronous = OFF", NO_VALUES, NULL);
	// The last to close would write the log back, with its syncs: 1 to 3 ms at the end of a
	// command. On a tmpfs that is cheaper than to read the log at the next opening.
	sqlite3_db_config(d->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_wal_hook(d->handle, after_commit, d);
	return NULL;
}

static fallible read_version(struct database *d, int *ret)
{
	auto_rows struct rows r = {0};
	TRY(database_query(d, "PRAGMA user_version", NO_VALUES, &r));
	bool has;
	TRY(rows_next(&r, &has));
	int64_t version = has ? rows_number(&r, 0) : 0;
	if (version < 0 || version > d->schema->version)
		return error_new(ERROR_UNSUPPORTED,
		                 "%s was made by a newer version (%lld, this one knows %d)",
		                 d->schema->file, (long long)version, d->schema->version);
	*ret = (int)version;
	return NULL;
}

static fallible run_script(struct database *d, const char *sql)
{
	int code = sqlite3_exec(d->handle, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? NULL : failure(d, code);
}

static fallible migrate(void *arg)
{
	struct database *d = arg;
	int version;
	TRY(read_version(d, &version));
	for (int i = version; i < d->schema->version; i++)
		TRY_AS(run_script(d, d->schema->migrations[i]), "version %d", i + 1);
	auto_free char *sql = alloc_printf("PRAGMA user_version = %d", d->schema->version);
	return run_script(d, sql);
}

// SQLite would make it readable for everybody; -wal and -shm get the mode of the file. Only while
// SQLite hasn't opened it: closing our descriptor would drop its locks (fcntl(2)).
static fallible make_file(const struct database *d, int dirfd)
{
	const char *file = d->schema->file;
	auto_fd int fd =
		openat(dirfd, file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		FAIL_ERRNO("create %s", file);
	return d->schema->kept ? path_sync_dir(dirfd, file) : NULL;
}

static fallible make_or_migrate(struct database *d, const char *path, int dirfd, int lockfd)
{
	TRY(lock_take(lockfd, LOCK_EXCLUSIVE));
	if (!d->handle) {
		TRY(make_file(d, dirfd));
		TRY(connect(d, path));
	}
	bool is_wal;
	TRY(database_has(d, "PRAGMA journal_mode = WAL", NO_VALUES, &is_wal));
	return database_transaction(d, TRANSACTION_DURABLE, migrate, d);
}

fallible database_open(const struct schema *schema, const char *directory, int dirfd,
                       int lock_dirfd, const char *lock, struct database **ret)
{
	set_up_library();
	struct database *d = alloc(sizeof(*d));
	d->schema = schema;
	d->dirfd = dirfd;
	release_reserve(dirfd);
	d->log_index = alloc_printf("%s/%s-shm", directory, schema->file);
	auto_free char *path = alloc_printf("%s/%s", directory, schema->file);
	int version = 0;
	struct error *e = NULL;
	if (faccessat(dirfd, schema->file, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		e = connect(d, path);
		if (!e)
			e = read_version(d, &version);
	}
	if (!e && version < schema->version) {
		auto_fd int lockfd = openat(lock_dirfd, lock, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		e = lockfd < 0 ? error_system(errno, "open %s", lock)
		               : make_or_migrate(d, path, dirfd, lockfd);
	}
	if (e) {
		database_close(d);
		return e;
	}
	if (version ==
	    schema->version) // not in the first moments of a store, which may be its only ones
		keep_reserve(dirfd);
	*ret = d;
	return NULL;
}

void database_close(struct database *d)
{
	if (!d)
		return;
	for (int i = 0; i < KEPT_STATEMENTS; i++)
		sqlite3_finalize(d->kept[i].statement);
	sqlite3_close(d->handle);
	free(d->log_index);
	free(d);
}
