// SPDX-License-Identifier: Apache-2.0
// images pull, images push: what the flags of a registry say becomes a request; the secret is asked
// for where only a name is given.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

enum { SECRET_MAX = 4096 };

static fallible read_line(int fd, char **ret)
{
	auto_str struct str line = STR_LIMIT(SECRET_MAX);
	for (char c = 0; c != '\n';) {
		ssize_t n = read(fd, &c, 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read the password");
		if (!n)
			break;
		if (c != '\n')
			str_add_char(&line, c);
	}
	*ret = str_take(&line);
	return NULL;
}

// From the terminal. A secret has no echo; the settings are restored, also after an error.
static fallible ask(const char *what, bool is_secret, const char *otherwise, char **ret)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct termios before, silent;
	if (fd < 0 || tcgetattr(fd, &before) < 0) {
		if (fd >= 0)
			close(fd);
		return error_new(ERROR_USAGE, "%s", otherwise);
	}
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (is_secret) // before somebody types
		tcsetattr(fd, TCSAFLUSH, &silent);
	ignore(write(fd, what, strlen(what))); // seen or not, what is typed counts
	struct error *e = read_line(fd, ret);
	if (is_secret) {
		tcsetattr(fd, TCSAFLUSH, &before);
		ignore(write(fd, "\n", 1)); // as above
	}
	close(fd);
	return e;
}

static fallible ask_secret(char **ret)
{
	return ask("Password: ", true,
	           "--user NAME needs a terminal to ask for the password: give NAME:PASSWORD", ret);
}

struct registry_login {
	char *user, *secret, *docker_config; // NULL: none
};

static void registry_login_done(struct registry_login *l)
{
	free(l->user);
	free(l->secret);
	free(l->docker_config);
}

char *docker_config_folder(void)
{
	const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	if (config && *config)
		return alloc_string(config);
	return home && *home ? alloc_printf("%s/.docker", home) : NULL;
}

static fallible read_login(struct invocation *in, struct registry_login *ret)
{
	const char *user = flag_text(in, "user"), *colon = strchr(user, ':');
	ret->docker_config = docker_config_folder();
	if (!*user)
		return NULL;
	ret->user = colon ? alloc_bytes(user, (size_t)(colon - user)) : alloc_string(user);
	if (!colon)
		return ask_secret(&ret->secret);
	ret->secret = alloc_string(colon + 1);
	return NULL;
}

static fallible pull(struct invocation *in, struct session *s, struct engine_pull *request,
                     bool print_chain)
{
	size_t n_labels, n_platforms;
	auto_free const char **labels = flag_texts(in, "label", &n_labels);
	auto_free const char **platforms = flag_texts(in, "platform", &n_platforms);
	auto_free char *name = NULL, *chain = NULL;
	request->labels = labels;
	request->n_labels = n_labels;
	request->platforms = platforms;
	request->n_platforms = n_platforms;
	TRY(engine_pull(s->engine, request, &name, &chain));
	auto_str struct str line = STR_LIMIT(65536), clean = STR_LIMIT(65536);
	output_clean(&clean, name);
	str_printf(&line, "%-40s\tsaved\t\n", clean.bytes); // as ctr's last screen
	if (print_chain)
		str_printf(&line, "image chain ID: %s\n", chain);
	output_str(&line);
	return NULL;
}

static void fill_registry(const struct invocation *in, const struct registry_login *login,
                          struct engine_registry *ret)
{
	*ret = (struct engine_registry){
		.plain_http = flag_bool(in, "plain-http"),
		.skip_verify = flag_bool(in, "skip-verify"),
		.tls_ca = optional(flag_text(in, "tlscacert")),
		.tls_cert = optional(flag_text(in, "tlscert")),
		.tls_key = optional(flag_text(in, "tlskey")),
		.hosts_dir = optional(flag_text(in, "hosts-dir")),
		.user = login->user,
		.secret = login->secret,
		.identity_token = optional(flag_text(in, "refresh")),
		.docker_config = login->docker_config,
		.dump = flag_bool(in, "http-dump"),
		.trace = flag_bool(in, "http-trace"),
	};
}

static fallible open_session(struct invocation *in, const struct engine_registry *registry,
                             struct session *s)
{
	s->show_steps = registry->dump || registry->trace;
	return session_open(in, s);
}

static fallible count_of(const struct invocation *in, const char *flag, size_t *ret)
{
	int64_t n = flag_int(in, flag);
	if (n < 0 || n > 32)
		return error_new(ERROR_USAGE, "--%s: from 1 to 32", flag);
	*ret = (size_t)n;
	return NULL;
}

fallible command_images_pull(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide an image reference to pull"));
	struct engine_pull request = {.reference = argument(in, 0),
	                              .all_platforms = flag_bool(in, "all-platforms")};
	TRY(count_of(in, "max-concurrent-downloads", &request.max_downloads));
	defer(registry_login_done) struct registry_login login = {0};
	TRY(read_login(in, &login));
	fill_registry(in, &login, &request.registry);
	auto_session struct session s = {0};
	TRY(open_session(in, &request.registry, &s));
	request.snapshotter = session_snapshotter(&s);
	return pull(in, &s, &request, flag_bool(in, "print-chainid"));
}

// The same without layers' being unpacked.
fallible command_content_fetch(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide an image reference to fetch"));
	struct engine_pull request = {.reference = argument(in, 0),
	                              .all_platforms = flag_bool(in, "all-platforms"),
	                              .no_unpack = true,
	                              .metadata_only = flag_bool(in, "metadata-only")};
	defer(registry_login_done) struct registry_login login = {0};
	TRY(read_login(in, &login));
	fill_registry(in, &login, &request.registry);
	auto_session struct session s = {0};
	TRY(open_session(in, &request.registry, &s));
	return pull(in, &s, &request, false);
}

static fallible fetch_objects(struct invocation *in, bool is_blob, const char *const *objects,
                              size_t n)
{
	struct engine_object request = {
		.reference = argument(in, 0), .is_blob = is_blob, .fd = STDOUT_FILENO};
	defer(registry_login_done) struct registry_login login = {0};
	if (in->closed[STDOUT_FILENO])
		return error_new(ERROR_USAGE, "standard output is closed");
	TRY(read_login(in, &login));
	fill_registry(in, &login, &request.registry);
	auto_session struct session s = {0};
	TRY(open_session(in, &request.registry, &s));
	for (size_t i = 0; i < n; i++) {
		request.object = objects[i];
		TRY(engine_fetch_object(s.engine, &request));
	}
	return NULL;
}

fallible command_content_fetch_object(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide a reference to fetch from"));
	const char *object = optional(argument(in, 1));
	return fetch_objects(in, false, &object, 1);
}

// What is asked for as a manifest lies elsewhere.
fallible command_content_fetch_blob(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide a reference to fetch from"));
	TRY(argument_needed(in, 1, "must specify digests"));
	const char *type = flag_text(in, "media-type");
	bool is_document = strstr(type, "manifest") || strstr(type, "index");
	return fetch_objects(in, !is_document, (const char *const *)in->args + 1, in->n_args - 1);
}

fallible command_content_push_object(struct invocation *in)
{
	TRY(argument_needed(in, 2, "please provide a reference, a digest and a media type"));
	struct engine_push request = {.remote = argument(in, 0),
	                              .manifest = argument(in, 1),
	                              .manifest_type = argument(in, 2),
	                              .alone = true};
	defer(registry_login_done) struct registry_login login = {0};
	TRY(read_login(in, &login));
	fill_registry(in, &login, &request.registry);
	auto_session struct session s = {0};
	TRY(open_session(in, &request.registry, &s));
	TRY(engine_push(s.engine, &request));
	auto_free char *line =
		alloc_printf("Pushed %s %s", request.manifest, request.manifest_type);
	output_line(line);
	return NULL;
}

fallible command_images_push(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide a remote image reference to push"));
	size_t n_platforms;
	auto_free const char **platforms = flag_texts(in, "platform", &n_platforms);
	if (n_platforms > 1)
		return error_new(ERROR_USAGE, "--platform: one at a time, or all without it");
	struct engine_push request = {
		.remote = argument(in, 0),
		.local = optional(argument(in, 1)),
		.manifest = optional(flag_text(in, "manifest")),
		.manifest_type = flag_text(in, "manifest-type"),
		.platform = n_platforms ? platforms[0] : NULL,
		.with_non_distributable = flag_bool(in, "allow-non-distributable-blobs"),
	};
	TRY(count_of(in, "max-concurrent-uploaded-layers", &request.max_uploads));
	defer(registry_login_done) struct registry_login login = {0};
	TRY(read_login(in, &login));
	fill_registry(in, &login, &request.registry);
	auto_session struct session s = {0};
	TRY(open_session(in, &request.registry, &s));
	TRY(engine_push(s.engine, &request));
	auto_str struct str line = STR_LIMIT(65536), clean = STR_LIMIT(65536);
	output_clean(&clean, request.remote);
	str_printf(&line, "%-40s\tpushed content\t\n", clean.bytes); // as ctr's last screen
	output_str(&line);
	return NULL;
}

// --- login and logout ----------------------------------------------------------------------------

static fallible ask_user(const struct invocation *in, struct registry_login *login)
{
	const char *password = flag_text(in, "password");
	bool from_stdin = flag_bool(in, "password-stdin");
	if (from_stdin && (*password || login->secret))
		return error_new(ERROR_USAGE, "a password, and --password-stdin: which one?");
	if (from_stdin || *password)
		free(take(&login->secret));
	if (from_stdin)
		return read_line(STDIN_FILENO, &login->secret);
	if (*password)
		login->secret = alloc_string(password);
	return login->secret ? NULL : ask_secret(&login->secret);
}

static void warn_of_plain(const struct invocation *in, const char *folder)
{
	auto_free char *text = alloc_printf("the password stands readable in %s/config.json: a "
	                                    "credential helper (credsStore) would keep it better",
	                                    folder);
	output_log(in, "warning", text, NULL);
}

fallible command_login(struct invocation *in)
{
	const char *user = flag_text(in, "user"), *colon = strchr(user, ':');
	const char *token = optional(flag_text(in, "refresh"));
	bool plain = false;
	defer(registry_login_done) struct registry_login login = {.docker_config =
	                                                                  docker_config_folder()};
	struct engine_registry registry;
	auto_free char *typed = NULL;
	if (!*user && !token) {
		static const char whom[] = "login as whom? --user NAME";
		if (isatty(STDIN_FILENO))
			TRY(ask("Username: ", false, whom, &typed));
		if (!typed || !*typed)
			return error_new(ERROR_USAGE, "%s", whom);
		user = typed;
	}
	if (!token) {
		login.user = alloc_bytes(user, colon ? (size_t)(colon - user) : strlen(user));
		login.secret = colon ? alloc_string(colon + 1) : NULL;
		TRY(ask_user(in, &login));
	}
	fill_registry(in, &login, &registry);
	auto_session struct session s = {0};
	TRY(open_session(in, &registry, &s));
	TRY(engine_login(s.engine, argument(in, 0), &registry, &plain));
	if (plain)
		warn_of_plain(in, login.docker_config);
	auto_str struct str line = STR_LIMIT(64);
	str_add(&line, "Login Succeeded\n"); // docker's words
	output_str(&line);
	return NULL;
}

fallible command_logout(struct invocation *in)
{
	auto_free char *folder = docker_config_folder();
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	TRY(engine_logout(s.engine, argument(in, 0), folder));
	auto_str struct str line = STR_LIMIT(1024);
	str_add(&line, "Removing login credentials for "); // docker's words
	output_clean(&line, *argument(in, 0) ? argument(in, 0) : "docker.io");
	str_add_char(&line, '\n');
	output_str(&line);
	return NULL;
}
