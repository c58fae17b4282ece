/* suggestion.h: "did you mean": the known word that a mistyped one is nearest to. Pure.
 */
#ifndef GATEHOUSE_CONF_SUGGESTION_H
#define GATEHOUSE_CONF_SUGGESTION_H

#include "shared/slice.h"

/* Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other
 * (optimal string alignment); words over 64 bytes are as far apart as they are long. */
size_t suggestion_distance(struct slice a, struct slice b);

/* Whether a distance is small enough for a word of that size to be a slip of the finger. */
bool suggestion_is_near(size_t distance, size_t size);

/* The nearest of the NULL-terminated `words`, or NULL when none is near. */
const char *suggestion_find(struct slice text, const char *const *words);

#endif
