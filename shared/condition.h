/* condition.h: an argument condition, ready to be judged. Pure; called by policy.c alone, and, for
 * what is wrong with one, by the reader of role documents.
 *
 * Who allows and who forbids read what is no plain match differently, each to the side of refusing.
 * A condition of an allow rule holds only for a value that is exactly one of its own. One of a deny
 * rule holds also for an object or array in the value's place (servers flatten them), for a number
 * that a double cannot tell from one of its own, and where a regular expression gave up. Neither
 * holds for an absent value.
 */
#ifndef GATEHOUSE_SHARED_CONDITION_H
#define GATEHOUSE_SHARED_CONDITION_H

#include "shared/arena.h"
#include "shared/json_pointer.h"
#include "shared/pattern.h"
#include "shared/policy_record.h"

enum { CONDITION_VALUE_MAX = PATTERN_MAX }; /* bytes of a string among the values */

struct condition_value {
    struct json_value json;
    struct pattern pattern; /* of a string: compiled from its decoded text */
};

struct condition {
    struct json_pointer pointer;
    struct condition_value *values;
    size_t value_count;
    size_t pointer_index; /* the caller's: equal pointers of a set have one */
};

/* Memory is the arena's; the source's bytes are borrowed. 0; -EINVAL with *mistake; -ENOMEM. What
 * it compiled is given back by condition_free, also after an error. */
int condition_make(struct condition *out, const struct policy_condition *source,
                   struct arena *arena, struct pattern_mistake *mistake);
void condition_free(struct condition *condition);

/* Whether what was found at the pointer meets the condition; `given_up` as in pattern_match. */
bool condition_holds(const struct condition *condition, enum json_pointer_answer answer,
                     const struct json_value *found, bool deny, unsigned *given_up);

#endif
