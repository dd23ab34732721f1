// SPDX-License-Identifier: Apache-2.0
#include "network/dns.h"
#include "network/paths.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <sys/stat.h>

enum { RESOLV_CONF_MAX = 64 * 1024, NAMESERVERS_MAX = 64 };
// Where systemd-resolved writes the real servers, while /etc/resolv.conf names its stub.
#define RESOLVED_CONF "/run/systemd/resolve/resolv.conf"

fallible resolv_read(const char *path, char **ret)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		int sys = errno;
		struct error *e = error_system(sys, "open %s", path);
		return sys == ENOENT ? error_recode(e, ERROR_NOT_FOUND) : e;
	}
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", path);
	if (!S_ISREG(st.st_mode))
		return error_new(ERROR_INVALID, "%s: not a regular file", path);
	TRY_AS(fd_read_to_end(fd, RESOLV_CONF_MAX, ret, NULL), "%s", path);
	return NULL;
}

// Cuts the next word off *text, NULL at the end of the line.
static char *word(char **text)
{
	*text += strspn(*text, " \t\r");
	if (!**text)
		return NULL;
	char *start = *text;
	*text += strcspn(*text, " \t\r");
	if (**text)
		*(*text)++ = 0;
	return start;
}

static void parse_line(char *line, struct network_dns *dns)
{
	if (*line == '#' || *line == ';')
		return;
	char *key = word(&line), *value;
	if (!key)
		return;
	if (strcmp(key, "nameserver") == 0) {
		if ((value = word(&line)) && dns->nameservers.n < NAMESERVERS_MAX)
			strings_add(&dns->nameservers, value);
	} else if (strcmp(key, "domain") == 0) {
		if ((value = word(&line))) {
			free(dns->domain);
			dns->domain = alloc_string(value);
		}
	} else if (strcmp(key, "search") == 0) {
		strings_done(&dns->search);
		while ((value = word(&line)))
			strings_add(&dns->search, value);
	} else if (strcmp(key, "options") == 0) {
		while ((value = word(&line)))
			strings_add(&dns->options, value);
	}
}

void resolv_parse(const char *text, struct network_dns *ret)
{
	auto_free char *copy = alloc_string(text);
	for (char *line = copy, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		parse_line(line, ret);
	}
}

static void print_list(struct str *out, const char *key, const struct strings *list)
{
	if (!list->n)
		return;
	str_add(out, key);
	for (size_t i = 0; i < list->n; i++)
		str_printf(out, " %s", list->items[i]);
	str_add_char(out, '\n');
}

// A plugin's words reach a file line by line: a newline in one would add a line of its own.
static bool is_plain(const struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (!*list->items[i] || strpbrk(list->items[i], " \t\r\n"))
			return false;
	return true;
}

static char *print(const struct network_dns *dns)
{
	auto_str struct str out = STR_LIMIT(RESOLV_CONF_MAX);
	for (size_t i = 0; i < dns->nameservers.n; i++)
		str_printf(&out, "nameserver %s\n", dns->nameservers.items[i]);
	if (dns->domain && *dns->domain && !dns->search.n)
		str_printf(&out, "domain %s\n", dns->domain);
	print_list(&out, "search", &dns->search);
	print_list(&out, "options", &dns->options);
	return str_take(&out);
}

static bool is_loopback(const char *server)
{
	struct network_address a;
	auto_free char *text = alloc_bytes(server, strcspn(server, "%")); // fe80::1%eth0
	auto_error struct error *e = address_parse(text, &a);
	return !e && address_is_loopback(&a);
}

// Drops servers on the loopback, which would be the container's own. True if others remain.
static bool keep_foreign(struct network_dns *dns)
{
	struct strings kept = {0};
	for (size_t i = 0; i < dns->nameservers.n; i++)
		if (!is_loopback(dns->nameservers.items[i]))
			strings_add(&kept, dns->nameservers.items[i]);
	strings_done(&dns->nameservers);
	dns->nameservers = kept;
	return kept.n > 0;
}

static fallible read_foreign(const char *path, struct network_dns *dns)
{
	auto_free char *text = NULL;
	struct error *e = resolv_read(path, &text);
	if (error_is(e, ERROR_NOT_FOUND))
		error_drop(&e); // as if it were empty
	TRY(e);
	if (text)
		resolv_parse(text, dns);
	return NULL;
}

static fallible check_words(const struct network_dns *dns)
{
	struct strings domain = {.items = (char *[]){dns->domain, NULL},
	                         .n = dns->domain && *dns->domain};
	if (is_plain(&dns->nameservers) && is_plain(&dns->search) && is_plain(&dns->options) &&
	    is_plain(&domain))
		return NULL;
	return error_new(ERROR_INVALID, "dns: blank or line end in a word");
}

// The servers of the host that a container can reach.
static fallible read_host(const char *path, struct network_dns *ret, char **ret_warning)
{
	TRY(read_foreign(path, ret));
	if (keep_foreign(ret))
		return NULL;
	__attribute__((cleanup(dns_done))) struct network_dns real = {0};
	TRY(read_foreign(RESOLVED_CONF, &real));
	if (keep_foreign(&real)) {
		struct network_dns stub = *ret;
		*ret = real;
		real = stub; // freed at the end
		return NULL;
	}
	*ret_warning = alloc_printf("%s names no server that a container can reach, and %s doesn't "
	                            "either: names won't resolve in the container",
	                            path, RESOLVED_CONF);
	return NULL;
}

static void add_all(struct strings *to, const struct strings *from)
{
	for (size_t i = 0; i < from->n; i++)
		strings_add(to, from->items[i]);
}

fallible network_resolv_conf(const struct network_paths *paths, const struct network_result *result,
                             char **ret, char **ret_warning)
{
	__attribute__((cleanup(dns_done))) struct network_dns host = {0};
	auto_free char *warning = NULL;
	if (result)
		TRY(check_words(&result->dns));
	if (!result || !result->dns.nameservers.n)
		TRY(read_host(paths_resolv_conf(paths), &host, &warning));
	if (result && !dns_is_empty(&result->dns)) { // each of its words replaces the host's
		const struct network_dns *own = &result->dns;
		add_all(&host.nameservers, &own->nameservers);
		if (own->search.n || *own->domain) {
			strings_done(&host.search);
			free(host.domain);
			host.domain = alloc_string(own->domain);
			add_all(&host.search, &own->search);
		}
		if (own->options.n)
			strings_done(&host.options);
		add_all(&host.options, &own->options);
	}
	*ret = print(&host);
	*ret_warning = take(&warning);
	return NULL;
}

static bool is_host_name(const char *name)
{
	return name && *name && !strpbrk(name, " \t\r\n#");
}

char *network_hosts(const struct network_result *result, const char *hostname, const char *alias)
{
	auto_str struct str out = STR_LIMIT(RESOLV_CONF_MAX);
	str_add(&out, "127.0.0.1\tlocalhost\n"
	              "::1\tlocalhost ip6-localhost ip6-loopback\n");
	bool is_named = is_host_name(hostname);
	bool has_alias = is_named && is_host_name(alias) && strcmp(alias, hostname) != 0;
	for (size_t i = 0; is_named && result && i < result->n_ips; i++) {
		auto_free char *text = network_address_print(&result->ips[i].address);
		str_printf(&out, "%s\t%s%s%s\n", text, hostname, has_alias ? " " : "",
		           has_alias ? alias : "");
	}
	return str_take(&out);
}
