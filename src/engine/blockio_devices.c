// SPDX-License-Identifier: Apache-2.0
// From a class of block I/O to the devices of this machine.
#include "engine/blockio.h"
#include "sys/tree.h"
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct devices { // with a value each
	struct device {
		uint32_t major, minor;
		int64_t value;
	} items[BLOCKIO_DEVICES_LIMIT];
	size_t n;
};
struct look {
	const char *class;
	struct strings *warnings;
	struct devices *found; // [BLOCKIO_VALUES]
	size_t n_looks;
};
// Of a pattern in bytes, since each part of it is a step deeper; and of what all of them look at:
// of links there are endless paths, and signals wait meanwhile.
enum { PATTERN_LIMIT = 4096, LOOKS_LIMIT = 65536 };

static const char *const members[BLOCKIO_VALUES] = {
	[BLOCKIO_WEIGHT] = "weightDevice",
	[BLOCKIO_READ_BPS] = "throttleReadBpsDevice",
	[BLOCKIO_WRITE_BPS] = "throttleWriteBpsDevice",
	[BLOCKIO_READ_IOPS] = "throttleReadIOPSDevice",
	[BLOCKIO_WRITE_IOPS] = "throttleWriteIOPSDevice",
};

// ---- Patterns -----------------------------------------------------------------------------------

// The paths that match `pattern`, from `at` on, with `before` already found. glob(3) would bring
// the user database into a static program, for its tilde.
static fallible find_paths(struct look *l, const char *before, const char *at, struct strings *ret)
{
	size_t size = strcspn(at, "/");
	auto_free char *part = alloc_bytes(at, size);
	const char *rest = at + size + strspn(at + size, "/");
	auto_strings struct strings names = {0};
	if (strpbrk(part, "*?[\\")) {
		struct error *e = tree_names(AT_FDCWD, *before ? before : ".", &names);
		error_drop(&e); // no folder, or not for us: nothing matches
	} else {
		strings_add(&names, part);
	}
	l->n_looks += 1 + names.n;
	if (l->n_looks > LOOKS_LIMIT)
		return error_new(ERROR_LIMIT, "more than %d files to look at", LOOKS_LIMIT);
	for (size_t i = 0; i < names.n; i++) {
		struct stat st;
		bool is_same = !strcmp(names.items[i], part);
		if (!is_same && fnmatch(part, names.items[i], FNM_PERIOD) != 0)
			continue;
		auto_free char *path =
			alloc_printf("%s%s%s", before, names.items[i], *rest ? "/" : "");
		if (*rest) {
			TRY(find_paths(l, path, rest, ret));
			continue;
		}
		if (lstat(path, &st) == 0)
			strings_add(ret, path);
		if (ret->n > BLOCKIO_DEVICES_LIMIT)
			return error_new(ERROR_LIMIT, "more than %d files match",
			                 BLOCKIO_DEVICES_LIMIT);
	}
	return NULL;
}

static fallible match(struct look *l, const char *pattern, struct strings *ret)
{
	if (strlen(pattern) > PATTERN_LIMIT)
		return error_new(ERROR_LIMIT, "longer than %d bytes", PATTERN_LIMIT);
	size_t root = strspn(pattern, "/");
	return find_paths(l, root ? "/" : "", pattern + root, ret);
}

// ---- Devices ------------------------------------------------------------------------------------

static void warn(struct look *l, const char *path, const char *what)
{
	strings_adopt(l->warnings,
	              alloc_printf("block I/O class %.64s: %.256s %s", l->class, path, what));
}

// As goresctrl: what a later rule says of a device replaces what an earlier one said.
static fallible put(struct devices *d, const struct device *device)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->items[i].major == device->major && d->items[i].minor == device->minor) {
			d->items[i].value = device->value;
			return NULL;
		}
	}
	if (d->n == BLOCKIO_DEVICES_LIMIT)
		return error_new(ERROR_LIMIT, "more than %d devices", BLOCKIO_DEVICES_LIMIT);
	d->items[d->n++] = *device;
	return NULL;
}

static fallible take_device(struct look *l, const char *path, const struct blockio_rule *rule)
{
	struct stat st;
	if (stat(path, &st) < 0) { // a link to nothing
		warn(l, path, "can't be looked at");
		return NULL;
	}
	if (!S_ISBLK(st.st_mode)) {
		warn(l, path, "is no block device");
		return NULL;
	}
	for (size_t i = 0; i < BLOCKIO_VALUES; i++) {
		const struct device device = {major(st.st_rdev), minor(st.st_rdev),
		                              rule->values[i]};
		if (device.value != -1)
			TRY(put(&l->found[i], &device));
	}
	return NULL;
}

static fallible take_rule(struct look *l, const struct blockio_rule *rule)
{
	for (size_t i = 0; i < rule->devices.n; i++) {
		auto_strings struct strings paths = {0};
		TRY_AS(match(l, rule->devices.items[i], &paths), "%.256s", rule->devices.items[i]);
		if (!paths.n)
			warn(l, rule->devices.items[i], "matches nothing");
		for (size_t k = 0; k < paths.n; k++)
			TRY(take_device(l, paths.items[k], rule));
	}
	return NULL;
}

static struct json *to_json(const struct devices *found, int64_t weight)
{
	struct json *block_io = json_new_object();
	if (weight != -1)
		json_set_i64(block_io, "weight", weight);
	for (size_t i = 0; i < BLOCKIO_VALUES; i++) {
		if (!found[i].n)
			continue;
		struct json *list = json_new_array();
		for (size_t k = 0; k < found[i].n; k++) {
			const struct device *d = &found[i].items[k];
			struct json *item = json_new_object();
			json_set_u64(item, "major", d->major);
			json_set_u64(item, "minor", d->minor);
			json_set_i64(item, i == BLOCKIO_WEIGHT ? "weight" : "rate", d->value);
			json_append(list, item);
		}
		json_set(block_io, members[i], list);
	}
	return block_io;
}

static fallible look_for(const struct blockio_class *class, const char *name,
                         struct spec_host *host)
{
	int64_t weight = -1;
	auto_free struct devices *found = alloc_array(BLOCKIO_VALUES, sizeof *found);
	struct look l = {name, &host->warnings, found, 0};
	for (size_t i = 0; i < class->n; i++) {
		const struct blockio_rule *rule = &class->rules[i];
		if (rule->has_devices)
			TRY(take_rule(&l, rule));
		else if (rule->values[BLOCKIO_WEIGHT] != -1)
			weight = rule->values[BLOCKIO_WEIGHT];
	}
	host->block_io = to_json(found, weight);
	return NULL;
}

// ---- The flags ----------------------------------------------------------------------------------

fallible blockio_look(const struct spec_request *request, struct spec_host *host)
{
	const char *text = request->blockio_config, *name = request->blockio_class;
	auto_blockio_class struct blockio_class class = {0};
	if (text)
		TRY_AS(blockio_parse(text, strlen(text), name ? name : "", &class),
		       "blockio-config-file error: failed to set configuration from file \"%s\"",
		       request->blockio_file);
	if (!name)
		return NULL;
	if (!class.is_there)
		return error_hint(
			error_new(ERROR_NOT_FOUND,
		                  "blockio-class error: no OCI BlockIO parameters for class \"%s\"",
		                  name),
			"--blockio-config-file FILE defines classes");
	TRY_AS(look_for(&class, name, host), "blockio-class error");
	return NULL;
}
