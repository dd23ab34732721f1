// SPDX-License-Identifier: Apache-2.0
// ADD and DEL of bridge + host-local + portmap, in-process, in namespaces of its own.
//   network [ROUNDS [ENDPOINTS]]
// ENDPOINTS containers stay attached meanwhile: the last ADD must cost what the first did.
// Prints min / median / 95 % in ms. A bench, not a test: it never fails for being slow.
#include "network/network.h"
#include "sys/sys.h"
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <time.h>

static const struct network_paths paths = {.cache_dir = "/run/bench/results",
                                           .lease_dir = "/run/bench/networks",
                                           .owner_dir = "/run/bench/owner",
                                           .netns_dir = "/run/netns"};
static const char list[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"bench\",\"plugins\":["
	"{\"type\":\"bridge\",\"bridge\":\"cni0\",\"isDefaultGateway\":true,\"ipMasq\":true,"
	"\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.88.0.0/16\"}},"
	"{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}]}";

static void must(struct error *e)
{
	if (!e)
		return;
	fprintf(stderr, "%s\n", e->message);
	exit(1);
}

static double now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void print(const char *what, double *times, size_t n)
{
	qsort(times, n, sizeof(*times), compare);
	printf("%-22s %6.2f %6.2f %6.2f\n", what, times[0], times[n / 2], times[n * 95 / 100]);
}

static struct network_attachment begin(size_t i, char guid[NETWORK_GUID_SIZE])
{
	must(network_guid_new(guid));
	struct network_attachment a = {.store_id = "bench",
	                               .ns = "default",
	                               .id = alloc_printf("c%zu", i),
	                               .instance = random_u64(),
	                               .ifname = "eth0",
	                               .namespace_dies = true};
	must(network_namespace_create(&paths, "bench", guid, &a.netns_fd));
	a.netns_path = network_namespace_path(&paths, guid);
	return a;
}

static void keep_attached(const struct network_config *config, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char guid[NETWORK_GUID_SIZE];
		struct network_attachment a = begin(100000 + i, guid);
		struct network_result *result;
		must(network_add(&paths, config, &a, &result));
		network_result_free(result);
		close(a.netns_fd); // the pin keeps it
	}
}

int main(int argc, char **argv)
{
	uint64_t rounds = 200, endpoints = 0;
	if (argc > 1)
		must(text_parse_u64(argv[1], 10, 100000, &rounds));
	if (argc > 2)
		must(text_parse_u64(argv[2], 10, 1000, &endpoints));
	if (!rounds || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) < 0 ||
	    mount("bench", "/run", "tmpfs", 0, NULL) < 0) {
		perror("network: needs root and a number of rounds");
		return 1;
	}
	struct network_config *config;
	must(network_config_parse(list, strlen(list), "bench.conflist", true, &config));
	keep_attached(config, endpoints);
	double *add = alloc_array(rounds, sizeof(*add)), *dying = alloc_array(rounds, sizeof(*add)),
	       *staying = alloc_array(rounds, sizeof(*add)),
	       *sum = alloc_array(rounds, sizeof(*add)),
	       *create = alloc_array(rounds, sizeof(*add));
	size_t n_dying = 0, n_staying = 0;
	for (size_t i = 0; i < rounds; i++) {
		char guid[NETWORK_GUID_SIZE];
		double start = now_ms();
		struct network_attachment a = begin(i, guid);
		struct network_result *result;
		double created = now_ms();
		must(network_add(&paths, config, &a, &result));
		double added = now_ms();
		a.namespace_dies = i % 2;
		must(network_del(&paths, &a));
		double deleted = now_ms();
		create[i] = created - start;
		add[i] = added - created;
		sum[i] = deleted - created;
		if (i % 2)
			dying[n_dying++] = deleted - added;
		else
			staying[n_staying++] = deleted - added;
		network_result_free(result);
		close(a.netns_fd);
		must(network_namespace_delete(&paths, "bench", guid));
	}
	printf("ms                        min median   95 %%   (%zu rounds beside %zu endpoints)\n",
	       (size_t)rounds, (size_t)endpoints);
	print("namespace", create, rounds);
	print("ADD", add, rounds);
	if (n_dying)
		print("DEL, namespace dies", dying, n_dying);
	print("DEL, namespace stays", staying, n_staying);
	print("ADD + DEL", sum, rounds);
	network_config_free(config);
	return 0;
}
