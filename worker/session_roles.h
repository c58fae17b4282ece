/* session_roles.h: the roles that claims give, by a config's claims_to_roles. Pure.
 *
 * For the judgement of a token and for the review of what its session recorded: the same claims
 * give the same roles. Without claims_to_roles everybody has the built-in role `access`.
 */
#ifndef GATEHOUSE_WORKER_SESSION_ROLES_H
#define GATEHOUSE_WORKER_SESSION_ROLES_H

#include "shared/json.h"
#include "shared/session_record.h"

/* A claim by its name, JSON_INVALID when the token has none; false: it is not known. */
typedef bool (*session_roles_claim)(const void *context, struct slice name, struct json_value *out);

/* Fills roles[SESSION_ROLES_MAX], borrowed from the config, in its order, each once. NULL, or why
 * the roles cannot be told, a literal for the client: never fewer roles than the claims give, since
 * one of them may forbid. */
const char *session_roles_judge(const struct auth_config_record *config, session_roles_claim find,
                                const void *context, struct slice *roles, size_t *count);

#endif
