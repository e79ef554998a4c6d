-- Knowledge found by its meaning: an embedding per passage text, and what is known of the place a text was fetched from.

DO $$
BEGIN
    IF to_regtype('halfvec') IS NULL THEN
        RAISE EXCEPTION 'the extension vector (pgvector) 0.7 or newer is missing in this database'
            USING HINT = 'as a superuser, in this database: CREATE EXTENSION vector; or give the migration '
                         'VOXPLANE_ADMIN_DATABASE_URL';
    END IF;
END $$;

-- Hash of the passage's text. NULL: written by a release that made no embeddings; its next pass replaces the row.
ALTER TABLE knowledge_chunks ADD COLUMN text_hash text;
CREATE INDEX knowledge_chunks_text ON knowledge_chunks (knowledge_base_id, text_hash);

-- What the server said when a text was fetched. NULL: the text stands in the resource.
ALTER TABLE knowledge_documents
    ADD COLUMN etag          text,
    ADD COLUMN last_modified text,
    ADD COLUMN fetched_at    timestamptz;

-- By text and not by passage: a text that is cut or ordered anew keeps the embeddings of what did not change.
CREATE TABLE knowledge_embeddings (
    agency_id         uuid     NOT NULL,
    tenant_id         uuid     NOT NULL,
    knowledge_base_id uuid     NOT NULL,
    -- Provider, model and dimensions: embeddings of different models cannot be compared.
    model             text     NOT NULL,
    text_hash         text     NOT NULL,
    dimensions        smallint NOT NULL CHECK (dimensions IN (384, 768, 1024, 1536, 3072)),
    embedding         halfvec  NOT NULL CHECK (vector_dims(embedding) = dimensions),

    PRIMARY KEY (knowledge_base_id, model, text_hash),
    CONSTRAINT knowledge_embeddings_base_fk FOREIGN KEY (agency_id, tenant_id, knowledge_base_id)
        REFERENCES resources (agency_id, tenant_id, id)
);

-- An index needs a fixed number of dimensions, hence one for each that is allowed. Half precision: half the memory, the
-- same order of results, and room for 3072 dimensions.
CREATE INDEX knowledge_embeddings_384 ON knowledge_embeddings
    USING hnsw ((embedding::halfvec(384)) halfvec_cosine_ops) WHERE dimensions = 384;
CREATE INDEX knowledge_embeddings_768 ON knowledge_embeddings
    USING hnsw ((embedding::halfvec(768)) halfvec_cosine_ops) WHERE dimensions = 768;
CREATE INDEX knowledge_embeddings_1024 ON knowledge_embeddings
    USING hnsw ((embedding::halfvec(1024)) halfvec_cosine_ops) WHERE dimensions = 1024;
CREATE INDEX knowledge_embeddings_1536 ON knowledge_embeddings
    USING hnsw ((embedding::halfvec(1536)) halfvec_cosine_ops) WHERE dimensions = 1536;
CREATE INDEX knowledge_embeddings_3072 ON knowledge_embeddings
    USING hnsw ((embedding::halfvec(3072)) halfvec_cosine_ops) WHERE dimensions = 3072;

ALTER TABLE knowledge_embeddings ENABLE ROW LEVEL SECURITY;
ALTER TABLE knowledge_embeddings FORCE ROW LEVEL SECURITY;
CREATE POLICY knowledge_embeddings_scope ON knowledge_embeddings
    USING (voxplane_scope_sees(agency_id, tenant_id)) WITH CHECK (voxplane_scope_sees(agency_id, tenant_id));
GRANT SELECT, INSERT, UPDATE, DELETE ON knowledge_embeddings TO voxplane_app;
