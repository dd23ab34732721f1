// SPDX-License-Identifier: Apache-2.0
#include "cli/table.h"
#include "cli/output.h"

struct table_cell {
	char *text;
	size_t width;  // in characters
	size_t column; // its number in the line
	size_t padded; // the width it is filled up to; 0: as it is
	bool last;     // of its line
};

static void add_cell(struct table *t, const char *text, bool last)
{
	alloc_grow(&t->cells, &t->cells_capacity, t->n_cells, sizeof(*t->cells));
	struct table_cell *before = t->n_cells > 0 ? &t->cells[t->n_cells - 1] : NULL;
	struct table_cell *cell = &t->cells[t->n_cells++];
	auto_str struct str clean = STR_LIMIT(OUTPUT_LIMIT);
	output_clean(&clean, text);
	cell->text = str_take(&clean);
	cell->column = before && !before->last ? before->column + 1 : 0;
	cell->last = last;
	for (const char *s = cell->text; *s; s++)
		cell->width += ((unsigned char)*s & 0xc0) != 0x80;
}

void table_cell(struct table *t, const char *text)
{
	add_cell(t, text, false);
}

void table_printf(struct table *t, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	auto_free char *text = alloc_vprintf(format, args);
	va_end(args);
	add_cell(t, text, false);
}

void table_end(struct table *t, const char *text)
{
	add_cell(t, text, true);
}

void table_row(struct table *t, const char *const *cells)
{
	for (; *cells; cells++)
		add_cell(t, *cells, false);
	add_cell(t, "", true);
}

static bool is_padded(const struct table_cell *cell, size_t column)
{
	return cell->column == column && !cell->last;
}

static void pad_column(struct table *t, size_t column, size_t from, size_t to, size_t width)
{
	if (width == 0) // no run is open
		return;
	for (size_t i = from; i < to; i++)
		if (is_padded(&t->cells[i], column))
			t->cells[i].padded = width;
}

// The widths of one column: one for each run of neighbouring lines that have a padded cell in it.
static void fit_column(struct table *t, size_t column)
{
	size_t first = 0, width = 0; // the run; no run is open while its width is 0
	bool line_has = false;
	for (size_t i = 0; i < t->n_cells; i++) {
		const struct table_cell *cell = &t->cells[i];
		if (is_padded(cell, column)) {
			if (width == 0) {
				first = i;
				width = (size_t)t->min_width;
			}
			if (cell->width + (size_t)t->padding > width)
				width = cell->width + (size_t)t->padding;
			line_has = true;
		}
		if (!cell->last)
			continue;
		if (!line_has) {
			pad_column(t, column, first, i, width);
			width = 0;
		}
		line_has = false;
	}
	pad_column(t, column, first, t->n_cells, width);
}

void table_print(struct table *t, struct str *out)
{
	size_t columns = 0;
	for (size_t i = 0; i < t->n_cells; i++)
		if (t->cells[i].column + 1 > columns)
			columns = t->cells[i].column + 1;
	for (size_t column = 0; column < columns; column++)
		fit_column(t, column);
	for (size_t i = 0; i < t->n_cells; i++) {
		str_add(out, t->cells[i].text);
		for (size_t w = t->cells[i].width; w < t->cells[i].padded; w++)
			str_add_char(out, ' ');
		if (t->cells[i].last)
			str_add_char(out, '\n');
	}
}

void table_done(struct table *t)
{
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i].text);
	free(t->cells);
	*t = (struct table){0};
}
