/**
 * The shapes of the API that the console uses, in one place. Names and fields are the API's own.
 * `npm run types` writes the whole of them to `openapi.d.ts` from a running platform, to hold these against.
 */

export interface Reference {
  id: string;
  name?: string;
}

export interface Account {
  id?: string;
  nickname?: string;
  first_name?: string;
  last_name?: string;
  communication_email?: string;
}

export interface Organization {
  id: string;
  name: string;
  description?: string | null;
}

export interface Project {
  id: string;
  name: string;
  description?: string | null;
  organization: Reference;
}

export type Mode = "DEVELOPMENT" | "PREVIEW" | "STAGING" | "PRODUCTION";

export interface Environment {
  id: string;
  created_at: string;
  name: string;
  organization: Reference;
  project: Reference;
  mode: Mode;
  cluster_id: string;
  cluster_name?: string;
}

export interface EnvironmentStatus {
  id: string;
  state: string;
  last_deployment_date?: string | null;
  last_deployment_state: string;
  last_deployment_id?: string | null;
  triggered_by?: string | null;
  origin?: string | null;
  deployment_status?: string | null;
}

export interface Cluster {
  id: string;
  name: string;
  description?: string | null;
  is_default?: boolean;
  created_at?: string;
  region?: string;
  cloud_provider?: string;
  kubernetes?: string;
  /** The engine's. */
  version?: string;
  /** Its engine is there. */
  has_access?: boolean;
  is_demo?: boolean;
}

export interface GitRepository {
  provider: string;
  owner?: string;
  url: string;
  name?: string;
  branch?: string;
  root_path?: string;
  deployed_commit_id?: string | null;
  deployed_commit_date?: string | null;
  deployed_commit_contributor?: string | null;
}

export interface Port {
  id?: string;
  name?: string;
  internal_port: number;
  external_port?: number | null;
  publicly_accessible: boolean;
  is_default?: boolean;
  protocol?: string;
}

export interface Service {
  id: string;
  created_at: string;
  updated_at?: string;
  name: string;
  description?: string | null;
  environment: Reference;
  service_type: string;
  git_repository?: GitRepository;
  build_mode?: string | null;
  dockerfile_path?: string | null;
  cpu?: number;
  memory?: number;
  min_running_instances?: number;
  max_running_instances?: number;
  ports?: Port[];
  healthchecks?: unknown;
  arguments?: string[];
  entrypoint?: string | null;
  auto_deploy?: boolean;
  auto_preview?: boolean;
}

export interface ServiceStatus {
  id: string;
  state: string;
  service_deployment_status?: string;
  last_deployment_date?: string | null;
}

export interface EnvironmentStatuses {
  environment: EnvironmentStatus;
  applications?: ServiceStatus[];
  containers?: ServiceStatus[];
  jobs?: ServiceStatus[];
  databases?: ServiceStatus[];
  helms?: ServiceStatus[];
  terraforms?: ServiceStatus[];
}

export interface Stage {
  id: string;
  name?: string;
  description?: string | null;
  deployment_order?: number;
  services?: { id?: string; service_id?: string; service_type?: string }[];
}

export interface Link {
  service_id: string;
  url: string;
  internal_port?: number;
  is_default?: boolean;
}

export interface Commit {
  created_at: string;
  git_commit_id: string;
  message?: string;
  author_name?: string;
  author_avatar_url?: string;
  commit_page_url?: string | null;
}

/** Our own, fuller shape of a deployment: what `deployment:<id>` brings live as well. */
export interface Deployment {
  id: string;
  number: number;
  organization_id: string;
  project_id: string;
  environment_id: string;
  action: string;
  status: string;
  reason?: string;
  trigger?: string;
  triggered_by?: string;
  commits?: Record<string, string>;
  steps?: Step[];
  created_at: string;
  started_at?: string | null;
  ended_at?: string | null;
}

export interface Step {
  id: string;
  service_id: string;
  service_name: string;
  kind: string;
  stage: string;
  state: string;
  message?: string;
  code?: string;
  details?: string;
  percent?: number | null;
  depends_on?: string[];
  started_at?: string | null;
  ended_at?: string | null;
}

export type VariableScope = "PROJECT" | "ENVIRONMENT" | "APPLICATION" | "CONTAINER" | "JOB" | "HELM" | "TERRAFORM" | "AGENTIC_WORKFLOW" | "BUILT_IN";

export interface Variable {
  id: string;
  key: string;
  value?: string | null;
  mount_path?: string | null;
  scope: VariableScope;
  variable_type: string;
  is_secret: boolean;
  description?: string | null;
  service_id?: string | null;
  service_name?: string | null;
  overridden_variable?: { id: string; key: string } | null;
  aliased_variable?: { id: string; key: string } | null;
}

export interface ApiToken {
  id: string;
  created_at: string;
  name: string;
  description?: string | null;
  role_id?: string | null;
  role_name?: string | null;
  /** Only in the answer that created it. */
  token?: string;
}

/** Contracts that come live. */
export interface ServiceState {
  environment_id: string;
  service_id: string;
  state: string;
  processes?: ProcessState[];
  deleted?: boolean;
  reason?: string;
  at: string;
}

export interface ProcessState {
  name: string;
  state: string;
  release?: string;
  commit?: string;
  deployment_id?: string;
  started_at?: string | null;
  restarts?: number;
  reason?: string;
}

export interface Event {
  id: string;
  organization_id: string;
  project_id?: string;
  environment_id?: string;
  service_id?: string;
  deployment_id?: string;
  entity: string;
  verb: string;
  entity_id: string;
  version: number;
  actor?: string;
  body?: unknown;
  at: string;
}

export interface MetricSample {
  at: string;
  processes: { name: string; cpu_milli: number; memory_bytes: number; restarts?: number }[];
  cpu_limit_milli?: number;
  memory_limit_bytes?: number;
}
