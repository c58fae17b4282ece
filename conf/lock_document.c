#include "conf/lock_document.h"

#include "conf/document_hash.h"
#include "conf/lock_schema.h"
#include "conf/timestamp.h"

static void lock_fill(const struct lock_form *form, struct lock_document *out)
{
    out->target.values[REVOCATION_SESSION] = form->session;
    out->target.values[REVOCATION_JTI] = form->jti;
    out->target.values[REVOCATION_SUBJECT] = form->subject;
    out->target.values[REVOCATION_USER] = form->user;
    out->target.values[REVOCATION_APP] = form->app;
    out->target.issuer = form->issuer;
    out->message = form->message;
    if (form->expires.size > 0)
        timestamp_read(form->expires, &out->expires);
}

static bool target_has_issuer(const struct revocation_target *target)
{
    for (unsigned kind = 0; kind < REVOCATION_KINDS; kind++)
        if (target->values[kind].size > 0 && revocation_kind_has_issuer((enum revocation_kind)kind))
            return true;
    return false;
}

/* An empty target would be no lock, or one on everybody: neither is what was meant. */
static void lock_check_target(const struct yaml_node *root, const struct lock_document *lock,
                              struct schema_context *context)
{
    const struct yaml_node *target = yaml_find(root, "spec.target");

    if (target == NULL || target->kind != YAML_MAPPING)
        return;
    if (revocation_target_kind(&lock->target) == REVOCATION_KINDS)
        schema_error(context, target, "", "spec.target", "all that are named must fit",
                     "must name a user, subject, session, jti or app");
    else if (lock->target.issuer.size > 0 && !target_has_issuer(&lock->target))
        schema_error(context, yaml_find(root, "spec.target.issuer"), "", "spec.target.issuer", NULL,
                     "narrows a user, subject or jti: name one of them");
}

void lock_document_read(const struct yaml_node *root, struct schema_context *context,
                        struct document *out)
{
    size_t before = context->diagnostics->errors;
    struct lock_form form = {0};

    *out = (struct document){.kind = DOCUMENT_LOCK, .place = root->place};
    schema_read(&lock_schema, root, "", context, &form);
    out->name = form.name;
    lock_fill(&form, &out->lock);
    if (context->diagnostics->errors == before)
        lock_check_target(root, &out->lock, context);
    if (context->diagnostics->errors == before)
        document_hash(out, context->arena);
    out->state = out->hash.size > 0 ? DOCUMENT_GOOD : DOCUMENT_REFUSED;
}

void lock_record_fill(const struct document *document, struct revocation_record *out)
{
    *out = (struct revocation_record){.target = document->lock.target,
                                      .until = document->lock.expires,
                                      .uid = -1,
                                      .lock = document->name,
                                      .why = document->lock.message};
}
