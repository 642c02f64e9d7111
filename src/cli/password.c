/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* One byte at a time: what follows the line in a descriptor belongs to somebody else. */
static int read_line(char *out, int fd, const char *what, struct err *e)
{
	size_t len = 0;
	ssize_t n;
	char c;

	while ((n = read(fd, &c, 1)) == 1 && c != '\n') {
		if (c == '\0' || len == PASSWORD_MAX - 1)
			return err_set(e, ERR_USAGE, "%s: the password is too long, or no text", what);
		out[len++] = c;
	}
	if (n < 0)
		return err_set(e, ERR_USAGE, "%s: %s", what, strerror(errno));
	if (len && out[len - 1] == '\r')
		len--;
	out[len] = '\0';
	return len ? 0 : err_set(e, ERR_USAGE, "%s: the password is empty", what);
}

static int ask(char *out, const char *user, struct err *e)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);
	struct termios old, quiet;

	if (fd < 0 || tcgetattr(fd, &old) != 0) {
		if (fd >= 0)
			close(fd);
		return err_set(e, ERR_USAGE,
			       "--auth: no terminal to ask for the password; use --password-file or "
			       "--password-fd");
	}
	quiet = old;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	dprintf(fd, "Password of %s: ", user);
	tcsetattr(fd, TCSAFLUSH, &quiet);
	int result = read_line(out, fd, "--auth", e);
	tcsetattr(fd, TCSAFLUSH, &old);
	dprintf(fd, "\n");
	close(fd);
	return result;
}

int password_read(char *out, const char *user, const char *file, int fd, struct err *e)
{
	if (!file && fd < 0)
		return ask(out, user, e);
	if (!file)
		return read_line(out, fd, "--password-fd", e);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, ERR_USAGE, "--password-file %s: %s", file, strerror(errno));
	int result = read_line(out, fd, "--password-file", e);
	close(fd);
	return result;
}
