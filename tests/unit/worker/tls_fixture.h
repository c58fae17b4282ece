/* tls_fixture.h: certificates of its own, a server with two of them, and connections to it. For
 * tests of TLS. */
#ifndef GATEHOUSE_TESTS_UNIT_WORKER_TLS_FIXTURE_H
#define GATEHOUSE_TESTS_UNIT_WORKER_TLS_FIXTURE_H

#include "worker/tls.h"
#include "worker/tls_server.h"
#include "worker/tls_trust.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A self-signed certificate and its key, as two memfds, and the certificate's PEM. */
struct identity {
    struct tls_pair pair;
    char pem[4096];
    size_t pem_size;
};

static inline int write_pem(X509 *certificate, EVP_PKEY *key)
{
    int fd = memfd_create("pem", 0);
    FILE *file = fdopen(dup(fd), "w");

    assert_non_null(file);
    if (key != NULL)
        PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    else
        PEM_write_X509(file, certificate);
    fclose(file);
    return fd;
}

static inline void make_identity(struct identity *identity, const char *name)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    char san[256];
    X509_EXTENSION *extension;
    ssize_t size;

    snprintf(san, sizeof(san), "DNS:%s", name);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    identity->pair.certificate = write_pem(certificate, NULL);
    identity->pair.key = write_pem(NULL, key);
    size = pread(identity->pair.certificate, identity->pem, sizeof(identity->pem), 0);
    assert_true(size > 0);
    identity->pem_size = (size_t)size;
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static inline void free_identity(struct identity *identity)
{
    close(identity->pair.certificate);
    close(identity->pair.key);
}

static inline struct slice bundle(const struct identity *identity)
{
    return slice_make(identity->pem, identity->pem_size);
}

static const struct message_ticket_keys tickets = {.count = 1, .keys = {{1, 2, 3}}};

struct link {
    int fds[2];
    struct tls *server;
    struct tls *client;
    int server_result;
    int client_result;
    char reason[TLS_REASON_MAX];
};

/* Both handshakes over a socketpair, as far as they get. */
static inline void open_link(struct link *link, struct tls_server *server,
                             struct tls_client *client, const char *host)
{
    char ignored[TLS_REASON_MAX];

    *link = (struct link){.server_result = -EAGAIN, .client_result = -EAGAIN};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, link->fds), 0);
    assert_int_equal(tls_accept(&link->server, server, link->fds[0]), 0);
    assert_int_equal(tls_connect(&link->client, client, link->fds[1], slice_from(host), false), 0);
    for (int i = 0; i < 100 && link->client_result != -EPROTO; i++) {
        if (link->client_result == -EAGAIN)
            link->client_result = tls_handshake(link->client, link->reason);
        if (link->server_result == -EAGAIN)
            link->server_result = tls_handshake(link->server, ignored);
    }
}

static inline void close_link(struct link *link)
{
    tls_free(link->client);
    tls_free(link->server);
    close(link->fds[0]);
    close(link->fds[1]);
}

struct fixture {
    struct identity identities[2]; /* a.example, b.example */
    struct tls_server *server;     /* with both */
    struct tls_trust *trust;
};

static inline int set_up(void **state)
{
    static struct fixture fixture;
    struct tls_pair pairs[2];
    char reason[TLS_REASON_MAX];

    make_identity(&fixture.identities[0], "a.example");
    make_identity(&fixture.identities[1], "b.example");
    pairs[0] = fixture.identities[0].pair;
    pairs[1] = fixture.identities[1].pair;
    assert_int_equal(tls_server_open(&fixture.server, pairs, 2, &tickets, reason), 0);
    assert_int_equal(tls_trust_open(&fixture.trust), 0);
    *state = &fixture;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;

    tls_server_close(fixture->server);
    tls_trust_close(fixture->trust);
    free_identity(&fixture->identities[0]);
    free_identity(&fixture->identities[1]);
    return 0;
}

#endif
