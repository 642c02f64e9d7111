/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How likely silence is to be nothing but packet loss. Pure arithmetic. */
#ifndef SB_DIAG_LOSS_H
#define SB_DIAG_LOSS_H

/* Round trips of a path that is known to answer: probes sent, and how many came back. */
struct loss_sample {
	unsigned sent, answered;
};

/*
 * The probability that `n` further round trips all fail on a path with this
 * record: the beta-binomial predictive with Jeffreys' prior,
 *     prod_{i<n} (lost + 1/2 + i) / (sent + 1 + i).
 * Unlike (lost/sent)^n it stays honest when the record is short: three answers
 * out of three do not prove that there is no loss. It takes losses as
 * independent; bursts make real silence likelier, so probes are spaced.
 */
double loss_silence_probability(struct loss_sample control, unsigned n);

#endif
