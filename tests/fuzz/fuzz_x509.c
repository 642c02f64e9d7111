/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A certificate as a capture holds it: names are bounded and end, whatever the DER says. */
#include <stdlib.h>
#include <string.h>

#include "conn/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_name(void *ctx, const char *text, size_t len)
{
	size_t *sum = ctx;

	for (size_t i = 0; i < len; i++)
		*sum += (unsigned char)text[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct x509 x;
	size_t sum = 0;

	if (x509_read(&x, data, size) == 0 &&
	    (x.subject_len > X509_NAME_MAX || x.issuer_len > X509_NAME_MAX || x.subject[x.subject_len] ||
	     x.issuer[x.issuer_len]))
		abort();
	x509_names(data, size, on_name, &sum);
	return 0;
}
