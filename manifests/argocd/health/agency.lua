-- Health of the kind Agency for Argo CD, from the condition Ready. Argo CD runs Lua 5.1 and hands the object over as `obj`.
-- What reasons mean: docs/reference/conditions.md. xtask/tests/argocd.rs runs this file.

local function health(status, message)
  return { status = status, message = message }
end

-- These pass by themselves.
local waiting = {
  Pending = true,
  WaitingForPods = true,
  WaitingForCredentials = true,
  WaitingForDependency = true,
  Ordering = true,
  Embedding = true,
  CarrierUnavailable = true,
  CarrierRateLimited = true,
  Draining = true,
  Terminating = true,
}

-- These somebody asked for.
local intended = { Suspended = true, Paused = true }

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "calls are ending, then its tenants, numbers and namespace go")
end

local ready = nil
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    if condition.type == "Ready" then
      ready = condition
    end
  end
end

if ready == nil then
  return health("Progressing", "the operator has not looked at it yet")
end
-- A condition of an older generation says nothing about what was just synced.
if ready.observedGeneration ~= nil and ready.observedGeneration ~= obj.metadata.generation then
  return health("Progressing", "the operator has not looked at the last change yet")
end
if ready.status == "True" then
  return health("Healthy", "carrier connections and tenants work")
end

local message = ready.reason
if ready.message ~= nil and ready.message ~= "" then
  message = ready.reason .. ": " .. ready.message
end
-- Nobody knows: the database is away, for example. What exists is kept, so this is no failure of the sync.
if ready.status == "Unknown" or waiting[ready.reason] then
  return health("Progressing", message)
end
if intended[ready.reason] then
  return health("Suspended", message)
end
return health("Degraded", message)
