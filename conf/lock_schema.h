/* lock_schema.h: the table of a lock's keys. Used by lock_document.c. */
#ifndef GATEHOUSE_CONF_LOCK_SCHEMA_H
#define GATEHOUSE_CONF_LOCK_SCHEMA_H

#include "conf/schema.h"

struct lock_form {
    unsigned version, kind;
    struct slice name, description, message, expires;
    struct slice user, subject, session, jti, app, issuer; /* of spec.target */
    const struct yaml_node *labels;
};

extern const struct schema lock_schema;

#endif
