/* role_mapping.h: claims_to_roles of an app auth config: which claims give which roles.
 *
 * A part of auth_config_record: a list of mappings, encoded one behind the other, read in place by
 * the worker at a judgement. Slices are borrowed from the encoded bytes.
 */
#ifndef GATEHOUSE_SHARED_ROLE_MAPPING_H
#define GATEHOUSE_SHARED_ROLE_MAPPING_H

#include "shared/record.h"

enum {
    ROLE_MAPPINGS_MAX = 256,     /* of one config */
    ROLE_MAPPING_ROLES_MAX = 64, /* of one mapping */
    ROLE_MAPPING_CLAIMS_MAX = 8, /* distinct claims of one config: a session records each */
};

struct role_mapping {
    struct slice claim;
    struct slice value; /* the claim is it, or an array that holds it; `*` stands for any bytes */
    struct slice roles[ROLE_MAPPING_ROLES_MAX];
    size_t role_count;
};

/* Appends a mapping to a list. 0 or -ENOMEM. */
int role_mapping_append(struct buffer *list, const struct role_mapping *mapping);

/* Walks a list: true with the next mapping; false at the end, or where it cannot be read. */
void role_mappings_open(struct record_reader *reader, struct slice list);
bool role_mappings_next(struct record_reader *reader, struct role_mapping *out);
/* Whether the list can be read to its end, and names no more claims than it may. */
bool role_mappings_are_sound(struct slice list);

/* The distinct claims of a sound list, in its order, at most ROLE_MAPPING_CLAIMS_MAX. */
size_t role_mappings_claims(struct slice list, struct slice claims[ROLE_MAPPING_CLAIMS_MAX]);

#endif
