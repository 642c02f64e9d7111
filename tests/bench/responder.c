/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A cheap mail server for measurements: answers SMTP on every address that its
 * network namespace takes for its own, one thread, one epoll.
 *
 *     responder [-c FILE.pem] PORT[/tls]...
 *
 * -c: certificate and key, for /tls ports (TLS before the greeting).
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define PORTS_MAX 32
#define AT_ONCE   256
#define BACKLOG   65535

struct connection {
	int fd;
	bool listening, tls, greeted;
	SSL *ssl;
};

static SSL_CTX *ctx;
static int epoll;

static void fail(const char *what)
{
	fprintf(stderr, "responder: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(struct connection *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
		fail("epoll");
}

static void listen_on(const char *word)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
	struct connection *c = calloc(1, sizeof(*c));
	char *rest;
	int one = 1, zero = 0;

	any.sin6_port = htons((uint16_t)strtoul(word, &rest, 10));
	c->listening = true;
	c->tls = strcmp(rest, "/tls") == 0;
	c->fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(c->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(c->fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&any, sizeof(any)) != 0 ||
	    listen(c->fd, BACKLOG) != 0)
		fail(word);
	watch(c);
}

static void end(struct connection *c)
{
	SSL_free(c->ssl);
	close(c->fd);
	free(c);
}

static void say(struct connection *c, const char *text)
{
	int len = (int)strlen(text);

	/* a few bytes always fit */
	if (c->ssl ? SSL_write(c->ssl, text, len) <= 0
		   : send(c->fd, text, (size_t)len, MSG_NOSIGNAL) < 0)
		return;
}

static void greet(struct connection *c)
{
	c->greeted = true;
	say(c, "220 responder.example.net ESMTP\r\n");
}

static void take(struct connection *listener)
{
	for (int i = 0; i < AT_ONCE; i++) {
		int one = 1, fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		struct connection *c = calloc(1, sizeof(*c));
		*c = (struct connection){.fd = fd, .tls = listener->tls};
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (c->tls) {
			c->ssl = SSL_new(ctx);
			SSL_set_fd(c->ssl, fd);
			SSL_set_accept_state(c->ssl);
		} else {
			greet(c);
		}
		watch(c);
	}
}

/* False: it is over. */
static bool hear(struct connection *c)
{
	char text[1024];
	ssize_t n;

	if (c->ssl && !c->greeted) {
		int done = SSL_do_handshake(c->ssl);
		if (done != 1)
			return SSL_get_error(c->ssl, done) == SSL_ERROR_WANT_READ;
		greet(c);
	}
	n = c->ssl ? SSL_read(c->ssl, text, sizeof(text)) : recv(c->fd, text, sizeof(text), 0);
	if (n <= 0)
		return c->ssl ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ
			      : n < 0 && errno == EAGAIN;
	if (n >= 4 && strncasecmp(text, "QUIT", 4) == 0) {
		say(c, "221 2.0.0 Bye\r\n");
		return false;
	}
	say(c, n >= 4 && strncasecmp(text, "EHLO", 4) == 0
		       ? "250-responder.example.net\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n"
		       : "250 2.0.0 Ok\r\n");
	return true;
}

int main(int argc, char **argv)
{
	struct rlimit files = {1 << 20, 1 << 20};
	struct epoll_event ready[AT_ONCE];

	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") != 0 || i + 1 == argc) {
			listen_on(argv[i]);
			continue;
		}
		i++;
		ctx = SSL_CTX_new(TLS_server_method());
		if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, argv[i]) != 1 ||
		    SSL_CTX_use_PrivateKey_file(ctx, argv[i], SSL_FILETYPE_PEM) != 1) {
			ERR_print_errors_fp(stderr);
			return 1;
		}
	}
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, ready, AT_ONCE, -1);
		for (int i = 0; i < n; i++) {
			struct connection *c = ready[i].data.ptr;
			if (c->listening)
				take(c);
			else if (!hear(c))
				end(c);
		}
	}
}
