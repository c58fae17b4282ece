#include "conf/lock_schema.h"

#include "conf/metadata_schema.h"
#include "conf/timestamp.h"

enum {
    ISSUER_MAX = 1024,   /* bytes */
    MESSAGE_MAX = 512,   /* bytes */
    NAME_SIZE_MAX = 100, /* bytes: a key of the store shows it as it is */
    VALUE_MAX = 256,     /* bytes: a token with a longer name is refused */
};

static const char *const versions[] = {"v1", "v2", NULL}; /* v2 is what Teleport's locks say */
static const char *const kinds[] = {"lock", NULL};

static const char *lock_name_check(struct slice name)
{
    return metadata_name_is_plain(name, NAME_SIZE_MAX)
               ? NULL
               : "must be letters, digits, '.', '_' and '-', at most 100";
}

static const char *expires_check(struct slice text)
{
    int64_t seconds;

    return timestamp_read(text, &seconds) ? NULL : "must be a date and time with a zone (RFC 3339)";
}

static const char *session_check(struct slice id)
{
    return id.size > 4 && id.data[3] == '_' ? NULL : "a session id begins with its kind, as jwt_";
}

#define LOCK(field) .offset = offsetof(struct lock_form, field)
#define TARGET(field) \
    .path = "spec.target." #field, .type = SCHEMA_STRING, LOCK(field), .low = 1, .high = VALUE_MAX

static const struct schema_row lock_rows[] = {
    METADATA_ROWS(struct lock_form, versions, NULL, kinds, lock_name_check,
                  "spec.expires says when a lock ends"),
    {.path = "spec", .type = SCHEMA_MAPPING, .required = true},
    {.path = "spec.target", .type = SCHEMA_MAPPING, .required = true},
    {TARGET(user)},
    {TARGET(subject)},
    {TARGET(session), .check = session_check},
    {TARGET(jti)},
    {TARGET(app)},
    {.path = "spec.target.issuer",
     .type = SCHEMA_STRING,
     LOCK(issuer),
     .low = 1,
     .high = ISSUER_MAX},
    {.path = "spec.expires",
     .type = SCHEMA_STRING,
     LOCK(expires),
     .check = expires_check,
     .hint = "such as 2027-01-31T18:00:00Z"},
    {.path = "spec.message", .type = SCHEMA_STRING, LOCK(message), .low = 0, .high = MESSAGE_MAX},
};

const struct schema lock_schema = {.rows = lock_rows,
                                   .count = sizeof(lock_rows) / sizeof(lock_rows[0])};
