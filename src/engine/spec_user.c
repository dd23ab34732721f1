// SPDX-License-Identifier: Apache-2.0
// Users and groups, from the root's own files. Specification: containerd 2.1 pkg/oci WithUser,
// WithAdditionalGIDs; passwd(5), group(5). The files are foreign: lines that aren't well-formed are
// passed over (moby's parser reads a bad number as 0, which would be root).
#include "engine/spec_private.h"
#include <string.h>

#define ID_LIMIT INT32_MAX // ctr's; a larger number is looked up as a name
#define GROUPS_LIMIT 65536 // the kernel's NGROUPS_MAX

struct text { // a part of a file
	const char *start;
	size_t size;
};

static bool texts_equal(struct text a, struct text b)
{
	return a.size == b.size && !memcmp(a.start, b.start, a.size);
}

// Cuts the part before `divider` off; the rest is what remains (empty at the end).
static struct text cut(struct text *rest, char divider)
{
	const char *end = rest->size ? memchr(rest->start, divider, rest->size) : NULL;
	struct text part = {rest->start, end ? (size_t)(end - rest->start) : rest->size};
	size_t used = part.size + (end != NULL);
	*rest = (struct text){rest->start + used, rest->size - used};
	return part;
}

static bool parse_id(struct text t, uint32_t *ret)
{
	uint64_t value = 0;
	if (!t.size || t.size > 10)
		return false;
	for (size_t i = 0; i < t.size; i++) {
		if (t.start[i] < '0' || t.start[i] > '9')
			return false;
		value = value * 10 + (uint64_t)(t.start[i] - '0');
	}
	if (value >= UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

struct user {
	struct text name;
	uint32_t uid, gid;
};
struct group {
	struct text name, members;
	uint32_t gid;
};

static bool next_user(struct text *file, struct user *ret)
{
	while (file->size) {
		struct text line = cut(file, '\n');
		ret->name = cut(&line, ':');
		cut(&line, ':'); // password
		struct text uid = cut(&line, ':'), gid = cut(&line, ':');
		if (ret->name.size && parse_id(uid, &ret->uid) && parse_id(gid, &ret->gid))
			return true;
	}
	return false;
}

static bool next_group(struct text *file, struct group *ret)
{
	while (file->size) {
		struct text line = cut(file, '\n');
		ret->name = cut(&line, ':');
		cut(&line, ':');
		struct text gid = cut(&line, ':');
		ret->members = cut(&line, ':');
		if (ret->name.size && parse_id(gid, &ret->gid))
			return true;
	}
	return false;
}

static struct text passwd_of(const struct spec_source *s)
{
	return (struct text){s->passwd ? s->passwd : "", s->passwd ? s->passwd_size : 0};
}

static struct text group_of(const struct spec_source *s)
{
	return (struct text){s->group ? s->group : "", s->group ? s->group_size : 0};
}

static bool find_user_name(const struct spec_source *source, struct text name, struct user *ret)
{
	for (struct text file = passwd_of(source); next_user(&file, ret);)
		if (texts_equal(ret->name, name))
			return true;
	return false;
}

static bool find_user_id(const struct spec_source *source, uint32_t uid, struct user *ret)
{
	for (struct text file = passwd_of(source); next_user(&file, ret);)
		if (ret->uid == uid)
			return true;
	return false;
}

static bool has_member(struct text members, struct text name)
{
	while (members.size) {
		struct text member = cut(&members, ',');
		if (texts_equal(member, name))
			return true;
	}
	return false;
}

// The groups that list `name`, but for one of that very name; the gid itself stands first unless it
// is among them.
static fallible set_groups(struct oci_spec *spec, const struct spec_source *source,
                           struct text name)
{
	uint32_t gid = spec->process.user.gid, *gids = NULL;
	size_t n = 1, capacity = 0;
	bool listed = false;
	struct group g;
	alloc_grow(&gids, &capacity, 1, sizeof(*gids));
	gids[0] = gid;
	for (struct text file = group_of(source); name.size && next_group(&file, &g);) {
		if (texts_equal(g.name, name) || !has_member(g.members, name))
			continue;
		alloc_grow(&gids, &capacity, n + 1, sizeof(*gids));
		gids[n++] = g.gid;
		listed = listed || g.gid == gid;
		if (n > GROUPS_LIMIT)
			break;
	}
	if (n <= GROUPS_LIMIT)
		oci_spec_set_additional_gids(spec, gids + listed, n - listed);
	free(gids);
	return n <= GROUPS_LIMIT ? NULL
	                         : error_new(ERROR_LIMIT, "etc/group: a user of too many groups");
}

static struct error *no_user(struct text name)
{
	return error_new(ERROR_NOT_FOUND, "user \"%.*s\": no users found",
	                 (int)(name.size > 64 ? 64 : name.size), name.start);
}

// USER, UID, USER:GROUP…: sets uid and gid.
static fallible set_ids(struct oci_spec *spec, const char *user, const struct spec_source *source)
{
	struct text rest = {user, strlen(user)}, name = cut(&rest, ':');
	bool with_group = strchr(user, ':');
	struct user found = {0};
	uint32_t uid = 0, gid = 0;
	bool is_number = parse_id(name, &uid) && uid <= ID_LIMIT;
	if (with_group && (!rest.size || memchr(rest.start, ':', rest.size)))
		return error_new(ERROR_USAGE, "invalid USER value %.64s", user);
	if (!is_number && !find_user_name(source, name, &found))
		return no_user(name);
	if (is_number && !with_group && !find_user_id(source, uid, &found))
		found = (struct user){.uid = uid, .gid = 0};
	if (!is_number || !with_group)
		uid = found.uid;
	if (with_group && !(parse_id(rest, &gid) && gid <= ID_LIMIT)) {
		struct group g;
		bool known = false;
		for (struct text file = group_of(source); !known && next_group(&file, &g);)
			known = texts_equal(g.name, rest);
		if (!known)
			return error_new(ERROR_NOT_FOUND, "group \"%.64s\": no groups found",
			                 rest.start);
		gid = g.gid;
	}
	spec->process.user.uid = uid;
	spec->process.user.gid = with_group ? gid : found.gid;
	return NULL;
}

fallible spec_set_user(struct oci_spec *spec, const char *user, const struct spec_source *source)
{
	if (!*user || (!strcmp(user, "root") && !source->passwd))
		user = "0"; // a root file system without a passwd has a root too
	TRY(set_ids(spec, user, source));
	// A number is looked up for its name; USER:GROUP is no name at all, so it gets no others.
	struct text name = {user, strlen(user)};
	struct user found;
	uint32_t uid;
	if (parse_id(name, &uid) && uid <= ID_LIMIT)
		name = find_user_id(source, uid, &found) ? found.name : (struct text){user, 0};
	return set_groups(spec, source, name);
}

fallible spec_apply_user(struct oci_spec *spec, const struct spec_request *r,
                         const struct spec_source *source)
{
	const char *of_image = source->image ? source->image->user : "";
	struct user found;
	if (r->user && *r->user)
		return spec_set_user(spec, r->user, source);
	if (!source->image)
		return NULL;
	if (!*of_image)
		return set_groups(spec, source, (struct text){"root", 4});
	// "root:" is what some builders write for a group that wasn't given.
	size_t size = strlen(of_image);
	auto_free char *user =
		alloc_bytes(of_image, size - (size > 1 && of_image[size - 1] == ':'));
	struct error *error = set_ids(spec, user, source);
	if (error_is(error, ERROR_USAGE)) // nobody here has typed it
		error = error_prefix(error_recode(error, ERROR_INVALID), "user of the image");
	TRY(error);
	// Here, unlike with the flag, the name behind the number counts, with a group too.
	if (!find_user_id(source, spec->process.user.uid, &found))
		found.name = (struct text){"", 0};
	return set_groups(spec, source, found.name);
}
