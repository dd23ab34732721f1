// SPDX-License-Identifier: Apache-2.0
// One SQLite database of the store: opening with forward migrations, waiting for others,
// transactions, statements. Private to store/.
//
// Rules (measured, docs: facts of storage): whatever may write begins IMMEDIATE, else it fails
// without waiting as soon as another writer was faster; the busy handler is ours, SQLite's own
// backs off to steps of 100 ms.
#pragma once
#include "base/error.h"
#include "base/memory.h"
#include <sqlite3.h>
#include <stdint.h>

struct database;

struct schema {
	const char *file;              // name in its folder: "meta.db"
	const char *const *migrations; // [i] brings version i to i + 1; [0] makes the tables
	int version;                   // how many
	bool kept;                     // durable; else it is never synced
	int wait_limit_ms;             // for other writers
};

// `dirfd` is borrowed until database_close(). Opens `directory`/file, and makes or migrates it
// where needed, under the exclusive lock of the file `lock` in `lock_dirfd`. Errors: UNSUPPORTED
// (made by a newer version), CORRUPT, SYSTEM.
fallible database_open(const struct schema *schema, const char *directory, int dirfd,
                       int lock_dirfd, const char *lock, struct database **ret);
void database_close(struct database *d); // takes NULL

struct value { // of one parameter of a statement
	enum { VALUE_END, VALUE_TEXT, VALUE_NULLABLE, VALUE_NUMBER } type;
	const char *text; // NULL is "", but of NULLABLE() it is SQL's NULL
	int64_t number;
};
#define TEXT(s) ((struct value){.type = VALUE_TEXT, .text = (s)})
#define NULLABLE(s) ((struct value){.type = VALUE_NULLABLE, .text = (s)})
#define NUMBER(n) ((struct value){.type = VALUE_NUMBER, .number = (int64_t)(n)})
#define VALUES(...) ((const struct value[]){__VA_ARGS__, {.type = VALUE_END}})
#define NO_VALUES VALUES({.type = VALUE_END})

// Runs a statement to its end. ret_changes (may be NULL): rows that it changed itself.
// `sql` must be a literal: statements are kept prepared by their address.
fallible database_do(struct database *d, const char *sql, const struct value *values,
                     int64_t *ret_changes);

struct rows { // of a running query
	struct database *database;
	sqlite3_stmt *statement;
	int slot; // of the kept statements; -1: not kept
};
fallible database_query(struct database *d, const char *sql, const struct value *values,
                        struct rows *ret);
fallible rows_next(struct rows *r, bool *ret);
// Column i of the current row; texts are copied into the arena. SQL's NULL is "".
const char *rows_text(const struct rows *r, int i, struct arena *arena);
int64_t rows_number(const struct rows *r, int i);
void rows_done(struct rows *r);
#define auto_rows __attribute__((cleanup(rows_done), unused))
// All rows as an array in the arena: `read` fills one zeroed item of `size` bytes from the current
// row. ret_items: pointer to the array's pointer.
fallible database_collect(struct database *d, const char *sql, const struct value *values,
                          struct arena *arena, size_t size,
                          void (*read)(const struct rows *r, struct arena *arena, void *item),
                          void *ret_items, size_t *ret_n);
// True if the query has a row.
fallible database_has(struct database *d, const char *sql, const struct value *values, bool *ret);

enum transaction {
	TRANSACTION_READ,    // several queries see one state
	TRANSACTION_WRITE,   // on disk at some later time; whole in any case
	TRANSACTION_DURABLE, // on disk when it returns (kept databases)
};
// Runs body(arg) in a transaction: committed if it gives NULL, undone otherwise. Nothing in the
// body may wait for anything but the database.
fallible database_transaction(struct database *d, enum transaction kind,
                              struct error *(*body)(void *arg), void *arg);
// Writes the log back and empties it, if nobody is reading it just now.
fallible database_checkpoint(struct database *d);
// CORRUPT if the file contradicts itself.
fallible database_check(struct database *d);
