/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a client sends to the exporter, byte for byte, as two connections (the input's halves, the
 * second without the first one's end): every question asked is a sound one, and the server goes on.
 * The first byte chooses which questions are answered, refused, or left to wait. Needs root: a network
 * namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "serve/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define ROUNDS 12 /* of accepting, reading and answering */

static struct server *server;
static uint16_t port;
static uint8_t mood;
static struct server_job *waiting[4];
static unsigned n_waiting;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void on_question(void *arg, struct server_job *job, const struct server_question *q)
{
	size_t len = strlen(q->target);

	(void)arg;
	require(len > 0 && len <= SERVER_TARGET_MAX + 2 && q->n_ports <= SERVER_PORTS_MAX);
	for (size_t i = 0; i < len; i++)
		require(q->target[i] > ' ' && q->target[i] <= '~');
	for (unsigned i = 0; i < q->n_ports; i++)
		require(q->ports[i] > 0);
	if (mood & 1)
		server_answer(job, NULL, 0, SERVER_TARGET, "no such host");
	else if (mood & 2 || n_waiting == sizeof(waiting) / sizeof(waiting[0]))
		server_refuse(job, "not allowed");
	else
		waiting[n_waiting++] = job;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct server_options opt = {.max_waiting = 3, .timeout_ns = NS_PER_S, .version = "0", .ask = on_question};
	struct sockaddr_in *in = (struct sockaddr_in *)&opt.listen;
	struct err e;

	(void)argc;
	(void)argv;
	if (unshare(CLONE_NEWNET) != 0 || system("ip link set lo up") != 0) {
		fputs("fuzz_serve: needs root, for a network namespace of its own\n", stderr);
		exit(77);
	}
	port = 9999;
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (server_new(&server, &opt, &e) != 0) {
		fprintf(stderr, "fuzz_serve: %s\n", e.text);
		exit(1);
	}
	return 0;
}

/* -1: the kernel has no port for it, or meets one that it remembers still from before. */
static int client(const uint8_t *data, size_t size, bool ends)
{
	const struct linger at_once = {.l_onoff = 1};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	require(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)); /* no port lies in TIME-WAIT */
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		require(errno != ECONNREFUSED);
		close(fd);
		return -1;
	}
	if (size)
		(void)!send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (ends)
		shutdown(fd, SHUT_WR);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t wake;

	if (size < 1)
		return -1;
	mood = data[0];
	size_t half = (size - 1) / 2;
	int fds[2] = {client(data + 1, half, true), client(data + 1 + half, size - 1 - half, false)};
	for (int i = 0; i < ROUNDS; i++)
		server_dispatch(server, &wake);
	for (unsigned i = 0; i < n_waiting; i++)
		server_answer(waiting[i], NULL, 0, SERVER_TIME, "too late");
	n_waiting = 0;
	for (int i = 0; i < ROUNDS / 2; i++)
		server_dispatch(server, &wake);
	char answer[4096];
	for (int i = 0; i < 2; i++) {
		if (fds[i] < 0)
			continue;
		while (recv(fds[i], answer, sizeof(answer), MSG_DONTWAIT) > 0)
			;
		close(fds[i]);
	}
	server_dispatch(server, &wake);
	return 0;
}
