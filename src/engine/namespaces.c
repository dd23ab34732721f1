// SPDX-License-Identifier: Apache-2.0
#include "engine/private.h"

void engine_namespaces_free(struct engine_namespaces *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->n; i++) {
		free(n->items[i].name);
		engine_labels_done(&n->items[i].labels);
	}
	free(n->items);
	free(n);
}

fallible engine_namespace_list(struct engine *e, struct engine_namespaces **ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	struct store_namespaces *rows;
	TRY(store_list_namespaces(store, &rows));
	struct engine_namespaces *list = alloc(sizeof(*list));
	list->items = alloc_array(rows->n, sizeof(*list->items));
	for (size_t i = 0; i < rows->n; i++) {
		struct engine_namespace *n = &list->items[list->n++];
		n->name = alloc_string(rows->items[i].name);
		labels_copy(&rows->items[i].labels, &n->labels);
	}
	store_namespaces_free(rows);
	*ret = list;
	return NULL;
}

fallible engine_namespace_create(struct engine *e, const char *name, const char *const *labels,
                                 size_t n_labels)
{
	struct store *store;
	TRY(engine_store(e, &store));
	auto_labels struct label_list list = {0};
	TRY(labels_parse(labels, n_labels, false, &list));
	struct store_labels view = labels_view(&list);
	return store_create_namespace(store, name, &view);
}

fallible engine_namespace_remove(struct engine *e, const char *name)
{
	struct store *store;
	TRY(engine_store(e, &store));
	return store_remove_namespace(store, name);
}

fallible engine_namespace_label(struct engine *e, const char *name, const char *const *labels,
                                size_t n_labels)
{
	return engine_set_labels(e, STORE_NAMESPACE, NULL, name, labels, n_labels, false, NULL,
	                         NULL);
}
