-- Knowledge: documents cut into passages, searched by full text.

CREATE TABLE knowledge_documents (
    id                uuid        PRIMARY KEY,
    agency_id         uuid        NOT NULL,
    tenant_id         uuid        NOT NULL,
    knowledge_base_id uuid        NOT NULL,
    -- The source's name in the KnowledgeBase.
    source            text        NOT NULL,
    content_hash      text        NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT now(),

    CONSTRAINT knowledge_documents_source_key UNIQUE (knowledge_base_id, source),
    CONSTRAINT knowledge_documents_tenant_key UNIQUE (agency_id, tenant_id, knowledge_base_id, id),
    CONSTRAINT knowledge_documents_base_fk FOREIGN KEY (agency_id, tenant_id, knowledge_base_id)
        REFERENCES resources (agency_id, tenant_id, id)
);
ALTER TABLE knowledge_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE knowledge_documents FORCE ROW LEVEL SECURITY;
CREATE POLICY knowledge_documents_scope ON knowledge_documents
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON knowledge_documents TO voxplane_app;

CREATE TABLE knowledge_chunks (
    id                uuid     PRIMARY KEY,
    agency_id         uuid     NOT NULL,
    tenant_id         uuid     NOT NULL,
    knowledge_base_id uuid     NOT NULL,
    document_id       uuid     NOT NULL,
    ordinal           integer  NOT NULL CHECK (ordinal >= 0),
    text              text     NOT NULL,
    words             tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('english'::regconfig, text)) STORED,

    CONSTRAINT knowledge_chunks_ordinal_key UNIQUE (document_id, ordinal),
    CONSTRAINT knowledge_chunks_document_fk FOREIGN KEY (agency_id, tenant_id, knowledge_base_id, document_id)
        REFERENCES knowledge_documents (agency_id, tenant_id, knowledge_base_id, id) ON DELETE CASCADE
);
CREATE INDEX knowledge_chunks_words ON knowledge_chunks USING gin (words);
CREATE INDEX knowledge_chunks_base ON knowledge_chunks (knowledge_base_id);

ALTER TABLE knowledge_chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE knowledge_chunks FORCE ROW LEVEL SECURITY;
CREATE POLICY knowledge_chunks_scope ON knowledge_chunks
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON knowledge_chunks TO voxplane_app;
