// SPDX-License-Identifier: Apache-2.0
// Lists of mounts, and the tree of a list of snapshots.
#include "snapshot/driver.h"
#include <stdlib.h>
#include <string.h>

struct snapshot_mount *snapshot_add_mount(struct snapshot_mounts *m, const char *type,
                                          const char *source)
{
	struct snapshot_mount *grown = alloc_array(m->n + 1, sizeof(*grown));
	if (m->n)
		memcpy(grown, m->items, m->n * sizeof(*grown));
	free(m->items);
	m->items = grown;
	struct snapshot_mount *added = &m->items[m->n++];
	added->type = alloc_string(type);
	added->source = alloc_string(source);
	added->target = alloc_string("");
	return added;
}

void snapshot_adopt_option(struct snapshot_mount *m, char *option)
{
	char **grown = alloc_array(m->n_options + 2, sizeof(*grown));
	if (m->n_options)
		memcpy(grown, m->options, m->n_options * sizeof(*grown));
	free(m->options);
	m->options = grown;
	m->options[m->n_options++] = option;
}

void snapshot_add_option(struct snapshot_mount *m, const char *option)
{
	snapshot_adopt_option(m, alloc_string(option));
}

void snapshot_mounts_free(struct snapshot_mounts *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		struct snapshot_mount *mount = &m->items[i];
		for (size_t j = 0; j < mount->n_options; j++)
			free(mount->options[j]);
		free(mount->options);
		free(mount->type);
		free(mount->source);
		free(mount->target);
	}
	free(m->items);
	free(m);
}

// --- the tree -------------------------------------------------------------------------------

static int by_parent(const void *a, const void *b, void *arg)
{
	const struct store_snapshots *list = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int order = strcmp(list->items[x].parent, list->items[y].parent);
	return order ? order : (x > y) - (x < y); // the list is sorted by key
}

// Where the children of `parent` begin in `order`, which is sorted by parent; *ret_n of them.
static size_t children(const struct store_snapshots *list, const size_t *order, const char *parent,
                       size_t *ret_n)
{
	size_t low = 0, high = list->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(list->items[order[middle]].parent, parent) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	while (high < list->n && !strcmp(list->items[order[high]].parent, parent))
		high++;
	*ret_n = high - low;
	return low;
}

struct snapshot_tree_row *snapshots_tree(const struct store_snapshots *list)
{
	size_t n = list->n, n_rows = 0, n_todo = 0;
	auto_free size_t *order = alloc_array(n + 1, sizeof(*order));
	auto_free struct snapshot_tree_row *todo = alloc_array(n + 1, sizeof(*todo));
	struct snapshot_tree_row *rows = alloc_array(n + 1, sizeof(*rows));
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), by_parent, (void *)list);
	const char *parent = "";
	for (size_t depth = 0;; depth = rows[n_rows - 1].depth + 1) {
		size_t n_below, first = children(list, order, parent, &n_below);
		while (n_below-- > 0) // the first comes on top
			todo[n_todo++] = (struct snapshot_tree_row){depth, order[first + n_below]};
		if (!n_todo)
			return rows;
		rows[n_rows++] = todo[--n_todo];
		parent = list->items[rows[n_rows - 1].i].key;
	}
}
