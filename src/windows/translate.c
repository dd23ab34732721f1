// SPDX-License-Identifier: Apache-2.0
// A Windows runtime spec becomes a Linux one, whose program is coracle-boot, and the parameters
// that boot and start.exe read. Specification: OCI runtime-spec 1.2, config-windows.md.
#include "base/text.h"
#include "boot/protocol.h"
#include "sys/fd.h"
#include "windows/private.h"
#include <ctype.h>
#include <strings.h>

enum { PARAMETERS_LIMIT = BOOT_SIZE_LIMIT };

// --- version, user, names -------------------------------------------------------------------

fallible windows_version_parse(const char *text, struct windows_version *ret)
{
	*ret = (struct windows_version){10, 0, 20348, 0};
	if (!text || !*text)
		return NULL;
	uint32_t *const parts[] = {&ret->major, &ret->minor, &ret->build, &ret->revision};
	const char *at = text;
	for (size_t i = 0; i < 4; i++) {
		size_t n = strcspn(at, ".");
		auto_free char *part = alloc_bytes(at, n);
		uint64_t value;
		TRY_AS(text_parse_u64(part, 10, i < 2 ? 255 : UINT16_MAX, &value),
		       "os.version %.64s", text);
		*parts[i] = (uint32_t)value;
		at += n;
		if (!*at)
			return i >= 2 ? NULL
			              : error_new(ERROR_INVALID, "os.version %.64s: not a version",
			                          text);
		at++;
	}
	return error_new(ERROR_INVALID, "os.version %.64s: not a version", text);
}

static const struct {
	const char *name;
	uint32_t id;
} users[] = {
	{"ContainerAdministrator", 0},
	{"ContainerUser", WINDOWS_USER_ID},
};

static fallible choose_user(const struct windows_start *start, size_t *ret)
{
	const char *name = start->spec->process.user.username;
	if (!name || !*name)
		name = start->default_user;
	*ret = 0;
	if (!name || !*name)
		return NULL;
	const char *slash = strrchr(name, '\\'); // "User Manager\ContainerAdministrator"
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
		if (!strcasecmp(slash ? slash + 1 : name, users[i].name)) {
			*ret = i;
			return NULL;
		}
	return error_new(ERROR_INVALID,
	                 "process.user.username: no user \"%.64s\": Windows containers here have "
	                 "ContainerAdministrator and ContainerUser",
	                 name);
}

// NetBIOS names: letters, digits and hyphens, upper case.
static void computer_name(const char *hostname, char ret[16])
{
	size_t n = 0;
	for (const char *c = hostname; *c && n < 15; c++)
		ret[n++] = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '-';
	if (!n)
		ret[n++] = 'C';
	ret[n] = 0;
}

// Of a path: its drive's letter, small; 'c' if it has none.
static char drive_of(const char *path)
{
	bool has_drive = isalpha((unsigned char)*path) && path[1] == ':';
	return has_drive ? (char)(*path | 32) : 'c';
}

fallible windows_path(const char *path, char **ret)
{
	char drive = drive_of(path);
	const char *rest = path[0] && path[1] == ':' ? path + 2 : path;
	struct str s = STR_LIMIT(8192);
	if (drive == 'c')
		str_add(&s, BOOT_DRIVE);
	else
		str_printf(&s, BOOT_DRIVES "/%c", drive);
	size_t top = s.size;
	while (*rest) {
		size_t n = strcspn(rest, "/\\");
		bool is_up = n == 2 && rest[0] == '.' && rest[1] == '.';
		bool is_dot = n == 1 && *rest == '.';
		if (is_up || is_dot || memchr(rest, ':', n)) {
			str_done(&s);
			return error_new(ERROR_INVALID, "%.256s: not a path of Windows", path);
		}
		// The template's own spelling; elsewhere a mount's is as good as any.
		if (n) {
			bool is_windows = s.size == top && drive == 'c' && n == 7 &&
			                  !strncasecmp(rest, "windows", n);
			str_add_char(&s, '/');
			str_add_bytes(&s, is_windows ? "windows" : rest, n);
		}
		rest += n;
		rest += *rest != 0;
	}
	*ret = str_take(&s);
	return NULL;
}

// --- environment ----------------------------------------------------------------------------

static bool same_name(const char *a, const char *b)
{
	size_t n = strcspn(a, "="), m = strcspn(b, "=");
	return n == m && !strncasecmp(a, b, n);
}

// Names of Windows' environment know no case; the last value counts, in the first one's spelling.
static void set_env(struct strings *env, const char *entry)
{
	for (size_t i = 0; i < env->n; i++)
		if (same_name(env->items[i], entry)) {
			size_t n = strcspn(env->items[i], "=");
			char *changed = alloc_printf("%.*s%s", (int)n, env->items[i],
			                             entry + strcspn(entry, "="));
			free(env->items[i]);
			env->items[i] = changed;
			return;
		}
	strings_add(env, entry);
}

static const char *const machine_environment[] = {
	"ComSpec=C:\\Windows\\system32\\cmd.exe",
	"OS=Windows_NT",
	"Path=C:\\Windows\\system32;C:\\Windows",
	"PATHEXT=.COM;.EXE;.BAT;.CMD",
	"PROCESSOR_ARCHITECTURE=AMD64",
	"TEMP=C:\\Windows\\TEMP",
	"TMP=C:\\Windows\\TEMP",
	"windir=C:\\Windows",
};

static const char *const computed_environment[] = {
	"ALLUSERSPROFILE=C:\\ProgramData",
	"CommonProgramFiles=C:\\Program Files\\Common Files",
	"ProgramData=C:\\ProgramData",
	"ProgramFiles=C:\\Program Files",
	"ProgramW6432=C:\\Program Files",
	"PUBLIC=C:\\Users\\Public",
	"SystemDrive=C:",
	"SystemRoot=C:\\Windows",
};

static void set_env_printf(struct strings *env, const char *format, const char *a, const char *b)
{
	auto_str struct str s = STR_LIMIT(4096);
	str_printf(&s, "%s%s%s", format, a, b);
	set_env(env, s.bytes);
}

// What would reach Wine itself on Linux means nothing here, and is nobody's to set.
static bool is_wines(const char *entry)
{
	return !strncasecmp(entry, "WINE", 4) || !strncmp(entry, "LD_", 3);
}

// "%SystemRoot%\\TEMP": what Windows expands when it makes an environment of the registry.
static const char *find_env(const struct strings *env, const char *name, size_t size)
{
	for (size_t i = 0; i < env->n; i++)
		if (strcspn(env->items[i], "=") == size && !strncasecmp(env->items[i], name, size))
			return env->items[i] + size + 1;
	return NULL;
}

static void expand(const char *value, const struct strings *machine, const struct strings *known,
                   struct str *ret)
{
	for (const char *c = value; *c;) {
		const char *end = *c == '%' ? strchr(c + 1, '%') : NULL;
		size_t size = end ? (size_t)(end - c - 1) : 0;
		const char *found = size ? find_env(machine, c + 1, size) : NULL;
		if (size && !found)
			found = find_env(known, c + 1, size);
		if (found) {
			str_add(ret, found);
			c = end + 1;
		} else {
			str_add_char(ret, *c++);
		}
	}
}

// The lines of the layers' registry, over what the machine has anyhow.
static void add_image_environment(const char *lines, const char *user, struct strings *machine)
{
	auto_strings struct strings known = {0};
	for (size_t i = 0; i < sizeof(computed_environment) / sizeof(*computed_environment); i++)
		strings_add(&known, computed_environment[i]);
	strings_adopt(&known, alloc_printf("USERPROFILE=C:\\Users\\%s", user));
	for (const char *line = lines ? lines : ""; *line;) {
		size_t n = strcspn(line, "\n");
		auto_free char *entry = alloc_bytes(line, n);
		const char *equals = strchr(entry, '=');
		auto_str struct str s = STR_LIMIT(32768);
		line += n + (line[n] != 0);
		if (!equals || equals == entry || is_wines(entry))
			continue;
		str_add_bytes(&s, entry, (size_t)(equals + 1 - entry));
		expand(equals + 1, machine, &known, &s);
		if (!s.over)
			set_env(machine, s.bytes);
	}
}

static void make_environment(const struct windows_start *start, const char *computer,
                             const char *user, const struct strings *machine, struct strings *ret)
{
	for (size_t i = 0; i < machine->n; i++)
		set_env(ret, machine->items[i]);
	for (size_t i = 0; i < sizeof(computed_environment) / sizeof(*computed_environment); i++)
		set_env(ret, computed_environment[i]);
	set_env_printf(ret, "COMPUTERNAME=", computer, "");
	set_env_printf(ret, "USERDOMAIN=", "User Manager", "");
	set_env_printf(ret, "USERNAME=", user, "");
	set_env_printf(ret, "USERPROFILE=C:\\Users\\", user, "");
	set_env_printf(ret, "APPDATA=C:\\Users\\", user, "\\AppData\\Roaming");
	set_env_printf(ret, "LOCALAPPDATA=C:\\Users\\", user, "\\AppData\\Local");
	set_env_printf(ret, "TEMP=C:\\Users\\", user, "\\AppData\\Local\\Temp");
	set_env_printf(ret, "TMP=C:\\Users\\", user, "\\AppData\\Local\\Temp");
	const struct oci_strings *env = &start->spec->process.env;
	for (size_t i = 0; i < env->n; i++) {
		const char *equals = strchr(env->items[i], '=');
		if (equals && equals[1] && !is_wines(env->items[i])) // as hcsshim: none is empty
			set_env(ret, env->items[i]);
	}
}

// --- command line -----------------------------------------------------------------------------

// golang.org/x/sys/windows.EscapeArg, by which ctr's shim joins args: quotes only around blanks.
static void add_argument(struct str *s, const char *argument)
{
	if (!*argument) {
		str_add(s, "\"\"");
		return;
	}
	bool quoted = strpbrk(argument, " \t") != NULL;
	size_t backslashes = 0;
	if (quoted)
		str_add_char(s, '"');
	for (const char *c = argument; *c; c++) {
		if (*c == '"')
			while (backslashes-- > 0)
				str_add_char(s, '\\');
		if (*c == '"')
			str_add_char(s, '\\');
		backslashes = *c == '\\' ? backslashes + 1 : 0;
		str_add_char(s, *c);
	}
	if (quoted) {
		while (backslashes-- > 0)
			str_add_char(s, '\\');
		str_add_char(s, '"');
	}
}

char *windows_join_arguments(const char *const *args, size_t n)
{
	struct str line = STR_LIMIT(PARAMETERS_LIMIT);
	for (size_t i = 0; i < n; i++) {
		if (i)
			str_add_char(&line, ' ');
		add_argument(&line, args[i]);
	}
	return str_take(&line);
}

// --- parameters -------------------------------------------------------------------------------

// UTF-8 to UTF-16; what isn't UTF-8 becomes U+FFFD.
static void add_utf16(struct str *s, const char *text)
{
	const unsigned char *c = (const unsigned char *)text;
	do {
		uint32_t code = *c;
		size_t more = code < 0x80 ? 0 : code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : 1;
		if (more && (code < 0xc2 || code > 0xf4)) {
			code = 0xfffd;
			more = 0;
		} else if (more) {
			code &= 0x3fu >> more;
			for (size_t i = 1; i <= more; i++) {
				if ((c[i] & 0xc0) != 0x80) {
					code = 0xfffd;
					more = i - 1;
					break;
				}
				code = code << 6 | (c[i] & 0x3f);
			}
		}
		uint16_t units[2] = {(uint16_t)code, 0};
		size_t n = 1;
		if (code >= 0x10000) {
			units[0] = (uint16_t)(0xd800 + ((code - 0x10000) >> 10));
			units[n++] = (uint16_t)(0xdc00 + ((code - 0x10000) & 0x3ff));
		}
		for (size_t i = 0; i < n; i++) {
			str_add_char(s, (char)(units[i] & 0xff));
			str_add_char(s, (char)(units[i] >> 8));
		}
		if (!*c)
			return;
		c += 1 + more;
	} while (true);
}

static fallible make_parameters(uint32_t flags, const char *command_line, const char *directory,
                                const struct strings *environment,
                                const struct windows_version *version, struct windows_files *ret)
{
	struct boot_parameters p = {
		.magic = BOOT_MAGIC,
		.major = version->major,
		.minor = version->minor,
		.build = version->build,
		.flags = flags,
	};
	auto_str struct str s = STR_LIMIT(PARAMETERS_LIMIT);
	str_add_bytes(&s, &p, sizeof(p));
	p.command_line = (uint32_t)s.size;
	add_utf16(&s, command_line);
	p.directory = (uint32_t)s.size;
	add_utf16(&s, directory);
	p.environment = (uint32_t)s.size;
	for (size_t i = 0; i < environment->n; i++)
		add_utf16(&s, environment->items[i]);
	add_utf16(&s, "");
	p.size_bytes = (uint32_t)s.size;
	if (s.over)
		return error_new(ERROR_LIMIT,
		                 "process: arguments and environment of more than %d "
		                 "bytes",
		                 PARAMETERS_LIMIT);
	memcpy(s.bytes, &p, sizeof(p));
	ret->parameters_size = s.size;
	ret->parameters = take(&s.bytes);
	return NULL;
}

// --- the Linux side ---------------------------------------------------------------------------

static fallible check_windows(const struct oci_spec *spec)
{
	if (spec->windows.hyperv)
		return error_new(ERROR_UNSUPPORTED, "windows.hyperv: there are no virtual machines "
		                                    "for Windows containers here");
	if (spec->windows.devices && json_size(spec->windows.devices))
		return error_new(ERROR_UNSUPPORTED, "windows.devices are not supported");
	if (oci_spec_has_hooks(spec)) // the specification has them for POSIX platforms alone
		return error_new(ERROR_UNSUPPORTED, "hooks: a Windows container can't have them");
	return NULL;
}

static void add_linux(struct oci_spec *l, uint32_t id)
{
	static const char *const of_wine[] = {WINE_BIN "/wine64", WINE_BIN "/wineserver64",
	                                      WINE_DLLS, WINE_SHARE};
	static const char *const guarded[] = {"/usr", "/lib64", "/etc", "/coracle"};
	for (size_t i = 0; i < sizeof(of_wine) / sizeof(*of_wine); i++)
		oci_spec_add_mount(l, of_wine[i], "bind", of_wine[i], "rbind,ro,nosuid,nodev", ',');
	// Wine's sockets: fresh, whatever lies in the layers.
	oci_spec_add_mount(l, "/tmp", "tmpfs", "tmpfs", "nosuid,nodev,mode=1777", ',');
	// The Linux side is nobody's to change. What was bound into it stays visible.
	for (size_t i = 0; i < sizeof(guarded) / sizeof(*guarded); i++)
		oci_spec_add_string(l, &l->linux_.readonly_paths, guarded[i]);
	l->process.user.uid = l->process.user.gid = id;
	l->process.cwd = oci_spec_string(l, "/");
	static const char *const boot[] = {BOOT_PROGRAM};
	oci_spec_set_strings(l, &l->process.args, boot, 1);
	l->process.env.n = 0;
	// Pings without a right to raw sockets.
	if (oci_spec_namespace(l, OCI_NAMESPACE_NETWORK))
		oci_spec_set_pair(l, &l->linux_.sysctl, "net.ipv4.ping_group_range",
		                  "0 2147483647");
}

static fallible add_mounts(const struct oci_spec *spec, struct oci_spec *l,
                           struct windows_files *files)
{
	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct oci_mount *m = &spec->mounts.items[i];
		auto_free char *target = NULL;
		TRY_AS(windows_path(m->destination, &target), "mounts[%zu].destination", i);
		if (m->type && !strcmp(m->type, "tmpfs"))
			return error_new(ERROR_UNSUPPORTED,
			                 "mounts[%zu]: a tmpfs is not for Windows images", i);
		if (!m->source)
			return error_new(ERROR_INVALID, "mounts[%zu].source: missing", i);
		bool readonly = false;
		for (size_t k = 0; k < m->options.n; k++)
			readonly |= !strcmp(m->options.items[k], "ro");
		oci_spec_add_mount(l, target, "bind", m->source, readonly ? "rbind,ro" : "rbind",
		                   ',');
		char drive = drive_of(m->destination);
		if (drive != 'c' && !strchr(files->drives, drive))
			files->drives[strlen(files->drives)] = drive;
	}
	return NULL;
}

fallible windows_translate(const struct windows_start *start, struct oci_spec *l,
                           struct windows_files *ret)
{
	const struct oci_spec *spec = start->spec;
	auto_windows_files struct windows_files files = {0};
	struct windows_identity identity = {
		.hostname = spec->hostname && *spec->hostname ? spec->hostname : start->id};
	size_t user;
	TRY(check_windows(spec));
	TRY(choose_user(start, &user));
	TRY(windows_version_parse(start->os_version, &identity.version));
	computer_name(identity.hostname, identity.computer);
	auto_strings struct strings machine = {0}, environment = {0};
	for (size_t i = 0; i < sizeof(machine_environment) / sizeof(*machine_environment); i++)
		strings_add(&machine, machine_environment[i]);
	add_image_environment(start->environment, users[user].name, &machine);
	identity.environment = &machine;
	make_environment(start, identity.computer, users[user].name, &machine, &environment);

	auto_free char *line =
		spec->process.command_line
			? alloc_string(spec->process.command_line)
			: windows_join_arguments((const char *const *)spec->process.args.items,
	                                         spec->process.args.n);
	TRY(make_parameters(start->keep_registry ? BOOT_KEEP_REGISTRY : 0, line, spec->process.cwd,
	                    &environment, &identity.version, &files));
	files.system_reg = registry_system(&identity, start->system_reg);
	auto_free char *overrides = NULL;
	if (start->template_dirfd >= 0)
		TRY_AS(file_read(start->template_dirfd, WINDOWS_OVERRIDES, PARAMETERS_LIMIT,
		                 &overrides, NULL),
		       "template");
	files.user_reg = registry_user(start->user_reg, overrides);
	files.userdef_reg = registry_default(start->userdef_reg);
	files.uid = files.gid = users[user].id;
	TRY(add_mounts(spec, l, &files));
	add_linux(l, users[user].id);
	// Not all of the root: Wine's server has to write into the prefix.
	if (spec->root.readonly)
		oci_spec_add_string(l, &l->linux_.readonly_paths, BOOT_DRIVE);
	if (oci_spec_namespace(l, OCI_NAMESPACE_UTS))
		l->hostname = oci_spec_string(l, identity.hostname);
	*ret = files;
	files = (struct windows_files){0};
	return NULL;
}
