#include "conf/listener_document.h"

#include <netinet/in.h>
#include <stdio.h>

enum { PREFIX_MAX = 64, INNER_PREFIX_MAX = 128 }; /* bytes of a key's path */

static bool address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)address;

        return (ntohl(four->sin_addr.s_addr) >> 24) == 127;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* "localhost:80" as "127.0.0.1:80": the one name that needs no resolver. */
static struct slice address_numeric(struct slice text, struct arena *arena)
{
    struct slice name = slice_from("localhost:");
    struct slice number = slice_from("127.0.0.1:");
    char *made;

    if (!slice_has_prefix(text, name))
        return text;
    text = slice_skip(text, name.size);
    made = arena_allocate(arena, number.size + text.size);
    if (made == NULL)
        return slice_make(NULL, 0);
    memcpy(made, number.data, number.size);
    memcpy(made + number.size, text.data, text.size);
    return slice_make(made, number.size + text.size);
}

/* An address of a listener. False after an error. */
static bool listener_address(const struct yaml_node *node, const char *prefix, const char *name,
                             struct slice text, struct schema_context *context, struct slice *out,
                             bool *loopback)
{
    struct sockaddr_storage address;
    socklen_t size;

    *out = address_numeric(text, context->arena);
    if (settings_address(*out, &address, &size) != 0) {
        schema_error(context, node, prefix, name,
                     "names are not resolved here; such as 0.0.0.0:443 or [::]:443",
                     "must be an IP address and a port from 1 to 65535, found \"%.*s\"",
                     (int)text.size, text.data);
        return false;
    }
    *loopback = address_is_loopback(&address);
    return true;
}

/* Every socket is bound with SO_REUSEPORT, so a second bind of one address would not fail: clients
 * would reach either listener by chance. */
static bool listener_is_new(const struct settings *settings, const struct yaml_node *node,
                            const char *prefix, const char *name, struct slice address,
                            struct schema_context *context)
{
    for (size_t i = 0; i < settings->listener_count; i++)
        if (slice_equal(settings->listeners[i].address, address)) {
            schema_error(context, node, prefix, name, "give each listener an address of its own",
                         "%.*s is listened on twice", (int)address.size, address.data);
            return false;
        }
    return true;
}

static void certificates_read(struct settings *settings, const struct yaml_node *list,
                              const char *listener, struct schema_context *context)
{
    size_t index = 0;

    for (const struct yaml_node *node = list->first; node != NULL; node = node->next) {
        struct settings_certificate certificate = {0};
        char prefix[INNER_PREFIX_MAX];

        snprintf(prefix, sizeof(prefix), "%s.tls.certificates[%zu]", listener, index++);
        schema_read(&certificate_schema, node, prefix, context, &certificate);
        if (settings->certificate_count == SETTINGS_CERTIFICATES_MAX) {
            schema_error(context, node, prefix, "", NULL,
                         "there are more than %d certificates in all", SETTINGS_CERTIFICATES_MAX);
            return;
        }
        settings->certificates[settings->certificate_count++] = certificate;
    }
}

static void listener_read(struct settings *settings, const struct yaml_node *node,
                          const char *prefix, struct schema_context *context, bool *insecure)
{
    struct listener_form form = {0};
    struct settings_listener listener = {.first_certificate = settings->certificate_count};
    const struct yaml_node *address;
    bool loopback;

    schema_read(&listener_schema, node, prefix, context, &form);
    if (form.certificates != NULL)
        certificates_read(settings, form.certificates, prefix, context);
    address = yaml_find(node, "address");
    if (form.address.size == 0 ||
        !listener_address(address, prefix, "address", form.address, context, &listener.address,
                          &loopback) ||
        !listener_is_new(settings, address, prefix, "address", listener.address, context))
        return;
    if (yaml_find(node, "tls") == NULL && !loopback && !form.insecure)
        schema_error(context, address, prefix, "address",
                     "add tls, or insecure: true when something before it ends TLS",
                     "plain HTTP is only for a loopback address");
    *insecure = *insecure || form.insecure;
    listener.certificate_count = settings->certificate_count - listener.first_certificate;
    listener.tls = listener.certificate_count > 0;
    settings->listeners[settings->listener_count++] = listener;
}

static void listener_read_admin(struct settings_form *form, const struct yaml_node *root,
                                struct schema_context *context)
{
    const char *name = "gate.admin_listen";
    const struct yaml_node *node = yaml_find(root, name);
    struct settings_listener listener = {.admin = true};
    bool loopback;

    if (form->admin_listen.size == 0 ||
        !listener_address(node, "", name, form->admin_listen, context, &listener.address,
                          &loopback) ||
        !listener_is_new(&form->settings, node, "", name, listener.address, context))
        return;
    if (!loopback)
        diagnostics_add(context->diagnostics, DIAGNOSTIC_WARNING, node->place, name,
                        "keep strangers away from it",
                        "metrics and health are shown to whoever reaches this address");
    form->settings.listeners[form->settings.listener_count++] = listener;
}

void listeners_read(struct settings_form *form, const struct yaml_node *root,
                    struct schema_context *context, bool *any_insecure)
{
    size_t index = 0;

    *any_insecure = false;
    for (const struct yaml_node *node = form->listen == NULL ? NULL : form->listen->first;
         node != NULL; node = node->next) {
        char prefix[PREFIX_MAX];

        snprintf(prefix, sizeof(prefix), "gate.listen[%zu]", index++);
        listener_read(&form->settings, node, prefix, context, any_insecure);
    }
    listener_read_admin(form, root, context);
}
