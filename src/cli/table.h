// SPDX-License-Identifier: Apache-2.0
// Columns as Go's text/tabwriter makes them: a cell that ends in a tab is padded to the width of
// its column, in neighbouring lines that have that column; the last cell of a line isn't. So a
// line may end in blanks, and ctr's do.
// What a cell says may come from an image: control characters are shown as \xNN.
#pragma once
#include "base/text.h"
#include <stdio.h>

struct table_cell;

struct table {
	int min_width, padding; // ctr uses 1, 1 for most lists and 4, 4 for containers and tasks
	struct table_cell *cells;
	size_t n_cells, cells_capacity;
};
#define TABLE_NARROW ((struct table){.min_width = 1, .padding = 1})
#define TABLE_WIDE ((struct table){.min_width = 4, .padding = 4})

void table_cell(struct table *t, const char *text);                       // ends in a tab
void table_printf(struct table *t, const char *format, ...) PRINTF(2, 3); // the same
void table_end(struct table *t, const char *text); // the last cell, not padded, and a new line
void table_row(struct table *t, const char *const *cells); // padded cells up to NULL, new line
void table_print(struct table *t, struct str *out);
void table_done(struct table *t);
#define auto_table defer(table_done)
