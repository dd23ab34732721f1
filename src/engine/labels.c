// SPDX-License-Identifier: Apache-2.0
#include "engine/private.h"

void labels_set(struct label_list *l, const char *key, const char *value)
{
	struct store_label *item = NULL;
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->items[i].key, key))
			item = &l->items[i];
	if (item) {
		free((char *)(uintptr_t)item->value);
	} else {
		alloc_grow(&l->items, &l->capacity, l->n, sizeof(*l->items));
		item = &l->items[l->n++];
		item->key = alloc_string(key);
	}
	item->value = alloc_string(value);
}

fallible labels_parse(const char *const *texts, size_t n, bool bare, struct label_list *ret)
{
	for (size_t i = 0; i < n; i++) {
		const char *equals = strchr(texts[i], '=');
		if ((!equals && !bare) || equals == texts[i] || !*texts[i])
			return error_new(ERROR_INVALID, "label \"%.64s\": not KEY=VALUE", texts[i]);
		if (strlen(texts[i]) > 4096) // containerd's limit on key and value together
			return error_new(ERROR_INVALID, "label \"%.64s…\": longer than 4096 bytes",
			                 texts[i]);
		auto_free char *key = alloc_bytes(texts[i], equals ? (size_t)(equals - texts[i])
		                                                   : strlen(texts[i]));
		labels_set(ret, key, equals ? equals + 1 : "true");
	}
	return NULL;
}

void labels_done(struct label_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((char *)(uintptr_t)l->items[i].key);
		free((char *)(uintptr_t)l->items[i].value);
	}
	free(l->items);
	*l = (struct label_list){0};
}

void labels_copy(const struct store_labels *from, struct engine_labels *ret)
{
	ret->items = alloc_array(from->n, sizeof(*ret->items));
	ret->n = from->n;
	for (size_t i = 0; i < from->n; i++)
		ret->items[i] = (struct engine_label){
			.key = alloc_string(from->items[i].key),
			.value = alloc_string(from->items[i].value),
		};
}

void engine_labels_done(struct engine_labels *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].key);
		free(l->items[i].value);
	}
	free(l->items);
	*l = (struct engine_labels){0};
}

fallible engine_set_labels(struct engine *e, enum store_kind kind, const char *snapshotter,
                           const char *name, const char *const *labels, size_t n_labels,
                           bool replace_all, const struct store_labels *current,
                           struct engine_labels *ret)
{
	struct store *store;
	TRY(engine_store(e, &store));
	auto_labels struct label_list changes = {0};
	// An empty value removes: so "all others go" is a change, too.
	for (size_t i = 0; replace_all && i < current->n; i++)
		labels_set(&changes, current->items[i].key, "");
	TRY(labels_parse(labels, n_labels, false, &changes));
	struct store_labels view = labels_view(&changes);
	struct store_labelled *now;
	TRY(store_set_labels(store, kind, kind == STORE_NAMESPACE ? name : e->ns,
	                     snapshotter ? snapshotter : "", name, &view, &now));
	if (ret)
		labels_copy(&now->labels, ret);
	store_labelled_free(now);
	return NULL;
}
