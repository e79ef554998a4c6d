//! The resources: agencies with tenants with agents, made as an import from git would make them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use voxplane_crds::{
    Agency, PhoneNumber, Tenant, VoiceAgent,
    conditions::{self, types},
    labels,
};

use crate::scope::Scope;

/// Objects that are made at the same time.
const AT_ONCE: usize = 16;
/// How long tenants may take: the cluster's quota controller has to count their namespaces.
const TENANTS_WITHIN: Duration = Duration::from_secs(900);

/// All resources of the benchmark.
#[derive(Clone)]
pub struct Fleet {
    client: Client,
    scope: Scope,
}

impl Fleet {
    /// Nothing is made yet.
    pub fn new(client: Client, scope: Scope) -> Self {
        Self { client, scope }
    }

    /// Makes the agencies, then their tenants, and waits until all are Ready.
    pub async fn tenants(&self) -> Result<()> {
        for index in 0..self.scope.agencies {
            let numbers = json!([{"pattern": format!("+1555{index:03}*")}]);
            let spec = json!({
                "quotas": {"maxTenants": self.scope.tenants},
                "carriers": [{
                    "name": "main", "type": "sip", "sip": {"allowedAddresses": ["192.0.2.10"]}, "numbers": numbers,
                }],
            });
            create::<Agency>(&self.client, None, &agency(index), spec).await?;
        }
        // Ready, because the cluster has to count their quotas before it takes a tenant.
        let ready = |agency: &Agency| {
            let status = agency.status.as_ref();
            status.is_some_and(|status| conditions::is_true(&status.conditions, types::READY))
        };
        self.wait::<Agency>(self.scope.agencies, ready).await?;
        let all = (0..self.scope.agencies).flat_map(|one| (0..self.scope.tenants).map(move |two| (one, two)));
        let spec = json!({"quotas": {"voiceAgents": self.scope.agents, "phoneNumbers": 10}});
        at_once(all, |(one, two)| {
            let spec = spec.clone();
            async move {
                let home = format!("vx-{}", agency(one));
                create::<Tenant>(&self.client, Some(&home), &tenant(two), spec).await
            }
        })
        .await?;
        let ready = |tenant: &Tenant| {
            let status = tenant.status.as_ref();
            status.is_some_and(|status| conditions::is_true(&status.conditions, types::READY))
        };
        self.wait::<Tenant>(self.scope.all_tenants(), ready).await
    }

    /// Makes a number per tenant, and all agents. Returns how long the agents took.
    pub async fn agents(&self) -> Result<Duration> {
        let tenants = (0..self.scope.agencies).flat_map(|one| (0..self.scope.tenants).map(move |two| (one, two)));
        at_once(tenants, |(one, two)| async move {
            let namespace = namespace(one, two);
            if self.scope.secrets {
                self.secret(&namespace).await?;
            }
            let spec = json!({
                "number": format!("+1555{one:03}{two:04}"), "carrier": "main", "agentRef": {"name": agent(0)},
            });
            create::<PhoneNumber>(&self.client, Some(&namespace), "main", spec).await
        })
        .await?;
        let started = Instant::now();
        at_once(self.names(), |(namespace, name)| async move {
            create::<VoiceAgent>(&self.client, Some(&namespace), &name, self.agent_spec(&name)).await
        })
        .await?;
        Ok(started.elapsed())
    }

    fn agent_spec(&self, name: &str) -> Value {
        let mut spec = json!({
            "displayName": name,
            "persona": "You are the receptionist of a dental clinic, friendly and brief.",
            "prompt": {"system": "Answer questions about opening hours and treatments. Never give medical advice."},
            "greeting": {"text": format!("Welcome, this is {name}. How can I help you?")},
            "runtime": {"placement": self.scope.placement.placement()},
        });
        if self.scope.secrets {
            spec["llm"] = json!({
                "provider": "openai-compatible", "baseUrl": "https://llm.example/v1", "model": "small",
                "secretRef": {"name": "llm"},
            });
        }
        spec
    }

    async fn secret(&self, namespace: &str) -> Result<()> {
        let secret = serde_json::from_value(json!({
            "metadata": {"name": "llm", "labels": {labels::PROVIDER: "openai-compatible"}},
            "type": labels::CREDENTIALS_SECRET_TYPE,
            "stringData": {"api-key": "not-a-key", "allowed-endpoints": "https://llm.example/v1"},
        }))?;
        let api = Api::<k8s_openapi::api::core::v1::Secret>::namespaced(self.client.clone(), namespace);
        api.create(&PostParams::default(), &secret).await.map(drop).context("making a Secret")
    }

    /// Namespaces and names of all agents.
    pub fn names(&self) -> impl Iterator<Item = (String, String)> + use<> {
        let (tenants, agents) = (self.scope.tenants, self.scope.agents);
        (0..self.scope.agencies).flat_map(move |one| {
            (0..tenants).flat_map(move |two| (0..agents).map(move |three| (namespace(one, two), agent(three))))
        })
    }

    /// Changes one field of an agent. Returns its new generation.
    pub async fn edit(&self, namespace: &str, name: &str, text: &str) -> Result<i64> {
        let api = Api::<VoiceAgent>::namespaced(self.client.clone(), namespace);
        let patch = Patch::Merge(json!({"spec": {"greeting": {"text": text}}}));
        let changed = api.patch(name, &PatchParams::default(), &patch).await?;
        changed.metadata.generation.context("no generation")
    }

    /// Suspends the first agency or takes it back. Returns the prefix of its tenants' namespaces.
    pub async fn suspend(&self, suspended: bool) -> Result<String> {
        let patch = Patch::Merge(json!({"spec": {"suspended": suspended}}));
        Api::<Agency>::all(self.client.clone()).patch(&agency(0), &PatchParams::default(), &patch).await?;
        Ok(format!("vx-{}--", agency(0)))
    }

    async fn wait<K>(&self, wanted: usize, good: impl Fn(&K) -> bool) -> Result<()>
    where
        K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        let deadline = Instant::now() + TENANTS_WITHIN;
        loop {
            let found = Api::<K>::all(self.client.clone()).list(&ListParams::default()).await?;
            let count = found.items.iter().filter(|object| good(object)).count();
            if count >= wanted {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{count} of {wanted} {} are ready after {TENANTS_WITHIN:?}", K::plural(&()));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

/// Name of an agency.
fn agency(index: usize) -> String {
    format!("agency-{index:03}")
}

fn tenant(index: usize) -> String {
    format!("tenant-{index:03}")
}

fn agent(index: usize) -> String {
    format!("agent-{index:03}")
}

fn namespace(of_agency: usize, of_tenant: usize) -> String {
    format!("vx-{}--{}", agency(of_agency), tenant(of_tenant))
}

/// As a person's manifest, which says only what it means: the API server fills in the rest.
async fn create<K>(client: &Client, namespace: Option<&str>, name: &str, spec: Value) -> Result<()>
where
    K: kube::Resource<DynamicType = ()>,
{
    let kind = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &kind),
        None => Api::all_with(client.clone(), &kind),
    };
    let object = DynamicObject::new(name, &kind).data(json!({"spec": spec}));
    let made = api.create(&PostParams::default(), &object).await;
    made.map(drop).with_context(|| format!("making {} {name}", kind.kind))
}

async fn at_once<T, F>(items: impl Iterator<Item = T>, make: impl Fn(T) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    stream::iter(items.map(make)).buffer_unordered(AT_ONCE).try_collect().await
}
