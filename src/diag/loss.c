/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "diag/loss.h"

double loss_silence_probability(struct loss_sample control, unsigned n)
{
	double lost = control.sent - control.answered, p = 1.0;

	for (unsigned i = 0; i < n; i++)
		p *= (lost + 0.5 + i) / (control.sent + 1.0 + i);
	return p;
}
