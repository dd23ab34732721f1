// SPDX-License-Identifier: Apache-2.0
// Claims, containers, tasks, writable layers, and the meeting of a start with a collector.
#include "store/test_support.h"

static struct store_container container_of(const char *id, uint64_t instance, enum store_life life)
{
	return (struct store_container){
		.ns = "default",
		.id = id,
		.instance = instance,
		.life = life,
		.image = "busybox",
		.snapshotter = "overlayfs",
		.runtime = "io.containerd.runc.v2",
		.spec = "{\"process\":{}}",
	};
}

static struct store_task task_of(const char *id, uint64_t instance)
{
	return (struct store_task){
		.ns = "default",
		.id = id,
		.instance = instance,
		.owner_pid = 4711,
		.owner_start = UINT64_MAX,
		.snapshotter = "overlayfs",
		.layers = DIGEST("5"),
		.upper = true,
	};
}

static void claims_once(void **arg)
{
	struct fixture *f = *arg;
	struct store_claim *claim, *other;
	assert_fine(store_claim(f->store, "default", "web", 0, &claim));
	auto_free char *message =
		alloc_printf("state %s/default: container \"web\" is being changed by another "
	                     "process",
	                     f->state);
	assert_error(store_claim(f->store, "default", "web", 0, &other), ERROR_BUSY, message);
	assert_fine(store_claim(f->store, "default", "db", 0, &other));
	write_file(store_claim_dirfd(other), "log", "x");
	assert_fine(store_claim_remove(other));
	auto_fd int dirfd = -1;
	auto_error struct error *e = store_open_state_dir(f->store, "default", "db", &dirfd);
	assert_true(error_is(e, ERROR_NOT_FOUND));
	assert_fine(store_open_state_dir(f->store, "default", "web", &dirfd));
	store_claim_release(claim);
	assert_fine(store_claim(f->store, "default", "web", 0, &claim));
	assert_fine(store_claim_remove(claim));
	auto_strings struct strings left = {0};
	assert_fine(store_list_at(f->store->statefd, "default", &left));
	assert_int_equal(left.n, 0);
}

static void refuses_bad_claims(void **arg)
{
	struct fixture *f = *arg;
	struct store_claim *claim;
	static const struct {
		const char *ns, *id, *message;
	} cases[] = {
		{"default", "../x",
	         "identifier \"../x\" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$: "
	         "invalid argument"},
		{"..", "x",
	         "identifier \"..\" must match ^[A-Za-z0-9]+(?:[._-](?:[A-Za-z0-9]+))*$: "
	         "invalid argument"},
		{"state.db", "x", "namespace \"state.db\": the name is taken: invalid argument"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_error(store_claim(f->store, cases[i].ns, cases[i].id, 0, &claim),
		             ERROR_INVALID, cases[i].message);
}

static void keeps_containers_of_both_kinds(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	struct store_claim *claim;
	const struct store_label label = {"k", "v"};
	const struct store_extension extension = {"ctr.cni-containerd.metadata", "type",
	                                          "{\"EnableCni\":true}"};
	struct store_container kept = container_of("web", UINT64_MAX, STORE_KEPT);
	kept.labels = (struct store_labels){&label, 1};
	kept.extensions = &extension;
	kept.n_extensions = 1;
	assert_fine(store_claim(s, "default", "web", 0, &claim));
	assert_fine(store_put_container(s, claim, &kept));
	assert_error(store_put_container(s, claim, &kept), ERROR_EXISTS,
	             "container \"web\": already exists");
	struct store_container passing = container_of("web", 7, STORE_PASSING);
	assert_error(store_put_container(s, claim, &passing), ERROR_EXISTS,
	             "container \"web\": already exists");
	struct store_task task = task_of("web", 7);
	task.layers = "";
	assert_error(store_put_run(s, claim, &passing, &task), ERROR_EXISTS,
	             "container \"web\": already exists");
	struct store_task *none;
	assert_error(store_find_task(s, "default", "web", &none), ERROR_NOT_FOUND,
	             "no running task found: task web not found"); // nothing of it was left
	store_claim_release(claim);

	passing.id = "a";
	assert_fine(store_claim(s, "default", "a", 0, &claim));
	assert_fine(store_put_container(s, claim, &passing));
	store_claim_release(claim);
	struct store_containers *list;
	assert_fine(store_list_containers(s, NULL, &list));
	assert_int_equal(list->n, 2);
	assert_string_equal(list->items[0].id, "a");
	assert_int_equal(list->items[0].life, STORE_PASSING);
	assert_null(list->items[1].spec);
	store_containers_free(list);
	struct store_container *found;
	assert_fine(store_find_container(s, "default", "web", &found));
	assert_true(found->instance == UINT64_MAX);
	assert_string_equal(found->spec, "{\"process\":{}}");
	assert_string_equal(found->labels.items[0].value, "v");
	assert_string_equal(found->extensions[0].value, "{\"EnableCni\":true}");
	assert_string_equal(found->image_digest, "");
	store_container_free(found);
	assert_fine(store_remove_container(s, "default", "web", 1)); // another life
	assert_fine(store_find_container(s, "default", "web", &found));
	store_container_free(found);
	assert_fine(store_remove_container(s, "default", "web", UINT64_MAX));
	assert_error(store_find_container(s, "default", "web", &found), ERROR_NOT_FOUND,
	             "container \"web\" in namespace \"default\": not found");
}

static void runs_and_removes(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_image(s, "busybox", DIGEST("5")));
	struct store_claim *claim;
	assert_fine(store_claim(s, "default", "web", 0, &claim));
	const struct store_container c = container_of("web", 7, STORE_PASSING);
	struct store_task t = task_of("web", 7);
	assert_fine(store_put_run(s, claim, &c, &t));
	auto_fd int fs = -1, work = -1;
	assert_fine(store_make_upper(s, 7, -1, &fs, &work));
	t.monitor_pid = 12;
	t.netns = "guid";
	t.cni = true;
	assert_fine(store_put_task(s, claim, &t));
	struct store_task *found;
	assert_fine(store_find_task(s, "default", "web", &found));
	assert_int_equal(found->monitor_pid, 12);
	assert_true(found->owner_start == UINT64_MAX);
	assert_true(found->cni && found->upper && !found->terminal);
	assert_string_equal(found->netns, "guid");
	assert_string_equal(found->layers, DIGEST("5"));
	store_task_free(found);
	const struct store_task other_life = task_of("web", 8);
	assert_error(store_put_task(s, claim, &other_life), ERROR_EXISTS,
	             "task web: already exists");

	assert_error(store_remove_snapshot(s, "default", "overlayfs", DIGEST("5")), ERROR_BUSY,
	             "cannot remove snapshot in use by a container: failed precondition");
	assert_fine(store_remove_image(s, "default", "busybox"));
	struct store_garbage *g;
	assert_fine(store_gc_run(s, 0, &g));
	assert_int_equal(g->n, 4); // the blobs; the layers and the upper stay
	store_garbage_free(g);
	assert_true(is_there(f, "snapshots/overlayfs/1/fs"));
	assert_true(is_there(f, "uppers/0000000000000007/fs"));

	assert_fine(store_remove_run(s, "default", "web", 9)); // another life
	struct store_tasks *tasks;
	assert_fine(store_list_tasks(s, "default", &tasks));
	assert_int_equal(tasks->n, 1);
	store_tasks_free(tasks);
	assert_fine(store_trash_upper(s, 7));
	assert_fine(store_trash_upper(s, 7)); // none is no error
	assert_fine(store_remove_run(s, "default", "web", 7));
	assert_fine(store_claim_remove(claim));
	assert_fine(store_gc_run(s, STORE_GC_CHECK, &g));
	assert_int_equal(g->n, 1);
	assert_string_equal(g->items[0].kind, "snapshot");
	store_garbage_free(g);
	assert_false(is_there(f, "snapshots/overlayfs/1"));
}

static void finds_that_the_layers_are_gone(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	struct store_claim *claim;
	assert_fine(store_claim(s, "default", "web", 0, &claim));
	const struct store_container c = container_of("web", 7, STORE_PASSING);
	const struct store_task t = task_of("web", 7);
	assert_error(store_put_run(s, claim, &c, &t), ERROR_NOT_FOUND,
	             "snapshot " DIGEST("5") " does not exist: not found");
	struct store_containers *list;
	assert_fine(store_list_containers(s, NULL, &list));
	assert_int_equal(list->n, 0);
	store_containers_free(list);
	store_claim_release(claim);
}

static fallible mark_all(void *arg)
{
	return database_do(arg, "UPDATE snapshots SET condemned = 1", NO_VALUES, NULL);
}

static void takes_back_the_marks_of_a_dead_collector(void **arg)
{
	struct fixture *f = *arg;
	struct store *s = f->store;
	assert_fine(put_image(s, "busybox", DIGEST("5")));
	struct database *meta;
	assert_fine(store_meta(s, &meta));
	assert_fine(database_transaction(meta, TRANSACTION_WRITE, mark_all, meta));
	struct store_claim *claim;
	assert_fine(store_claim(s, "default", "web", 0, &claim));
	const struct store_container c = container_of("web", 7, STORE_PASSING);
	const struct store_task t = task_of("web", 7);
	assert_fine(store_put_run(s, claim, &c, &t));
	bool marked;
	assert_fine(database_has(meta, "SELECT 1 FROM snapshots WHERE condemned <> 0", NO_VALUES,
	                         &marked));
	assert_false(marked);
	store_claim_release(claim);
}

// A collector in another process has marked, and holds content/lock until it is told to go on.
static int collector(const struct fixture *f, int go, int ready)
{
	struct store *s = open_again(f);
	auto_fd int lockfd = -1;
	struct database *meta;
	char c;
	if (store_lock_content(s, LOCK_EXCLUSIVE, &lockfd) || store_meta(s, &meta) ||
	    database_transaction(meta, TRANSACTION_WRITE, mark_all, meta) ||
	    write(ready, "x", 1) != 1 || read(go, &c, 1) != 1 ||
	    database_do(meta, "DELETE FROM snapshots WHERE condemned <> 0", NO_VALUES, NULL))
		return 1;
	return 0;
}

static void waits_for_a_living_collector(void **arg)
{
	struct fixture *f = *arg;
	assert_fine(put_image(f->store, "busybox", DIGEST("5")));
	store_close(f->store); // no connection over a fork
	int go[2], ready[2];
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0)
		_exit(collector(f, go[0], ready[1]));
	char c;
	assert_int_equal(read(ready[0], &c, 1), 1);
	pid_t teller = fork(); // the collector goes on while the start waits
	if (teller == 0)
		_exit(write(go[1], "x", 1) != 1);
	f->store = open_again(f);
	struct store_claim *claim;
	assert_fine(store_claim(f->store, "default", "web", 0, &claim));
	const struct store_container con = container_of("web", 7, STORE_PASSING);
	const struct store_task t = task_of("web", 7);
	assert_error(store_put_run(f->store, claim, &con, &t), ERROR_NOT_FOUND,
	             "snapshot " DIGEST("5") " does not exist: not found");
	store_claim_release(claim);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(waitpid(teller, &status, 0), teller);
	for (int i = 0; i < 2; i++) {
		close(go[i]);
		close(ready[i]);
	}
}

static void gives_uppers_the_root_of_the_image(void **arg)
{
	struct fixture *f = *arg;
	auto_fd int like = -1, fs = -1, work = -1;
	assert_fine(path_make_dir_at(f->store->rootfd, "like", 0755, &like));
	assert_int_equal(fchmod(like, 01777), 0);
	assert_fine(store_make_upper(f->store, 0xabc, like, &fs, &work));
	struct stat st;
	assert_int_equal(fstat(fs, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01777);
	assert_true(is_there(f, "uppers/0000000000000abc/work"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		STORE_TEST(claims_once),
		STORE_TEST(refuses_bad_claims),
		STORE_TEST(keeps_containers_of_both_kinds),
		STORE_TEST(runs_and_removes),
		STORE_TEST(finds_that_the_layers_are_gone),
		STORE_TEST(takes_back_the_marks_of_a_dead_collector),
		STORE_TEST(waits_for_a_living_collector),
		STORE_TEST(gives_uppers_the_root_of_the_image),
	};
	return cmocka_run_group_tests_name("store: containers and tasks", tests, NULL, NULL);
}
