/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "model/signature.h"

const struct signature *signature_find(const struct signatures *s, enum signature_kind kind,
				       const char *text)
{
	(void)s, (void)kind, (void)text;
	return NULL;
}
