// What scenarios stand on: the owner's client, other people's, what lies outside core, and things made in one line.
import { clientOf, unique } from './play.mjs';

export const REPOSITORY = { url: 'https://github.com/acme/shop.git', provider: 'GITHUB', branch: 'main' };

export class World {
  constructor(given) {
    Object.assign(this, given);
    this.api = clientOf(given.url, `Token ${given.token}`);
  }

  /** Asks what plays the part of engine, mail and Git hosts; see conftest.py for what it does. */
  async outside(what, body = {}) {
    const answer = await fetch(`${this.outsideUrl}/${what}`, { method: 'POST', body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`outside ${what}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  /** Somebody new with a role (or none) in the organization: {api, id, email}. */
  async person(role = '', organizationId = this.organizationId) {
    const made = await this.outside('person', { role, organizationId });
    return { ...made, api: clientOf(this.url, made.authorization) };
  }

  machine(token) {
    return clientOf(this.url, `Token ${token}`);
  }

  project(fields = {}) {
    return this.api.createProject(this.organizationId, { name: unique('project'), ...fields });
  }

  async environment(fields = {}) {
    const project = await this.project();
    return this.api.createEnvironment(project.id, { name: unique('environment'), cluster: this.clusterId, ...fields });
  }

  async application(fields = {}) {
    const environment = fields.environment ?? (await this.environment()).id;
    delete fields.environment;
    return this.api.createApplication(environment, { ...application(), ...fields });
  }

  registry(fields = {}) {
    return this.api.createContainerRegistry(this.organizationId, { ...registry(), ...fields });
  }

  async container(fields = {}) {
    const environment = fields.environment ?? (await this.environment()).id;
    const registry_id = fields.registry_id ?? (await this.registry()).id;
    delete fields.environment;
    return this.api.createContainer(environment, { ...container(), ...fields, registry_id });
  }

  async database(fields = {}) {
    const environment = fields.environment ?? (await this.environment()).id;
    delete fields.environment;
    return this.api.createDatabase(environment, { ...database(), ...fields });
  }

  async job(fields = {}) {
    const environment = fields.environment ?? (await this.environment()).id;
    delete fields.environment;
    return this.api.createJob(environment, { ...job(), ...fields });
  }
}

const PORTS = [{ internal_port: 8000, publicly_accessible: true, protocol: 'HTTP', is_default: true, name: 'p8000' }];

export const application = () => ({ name: unique('web'), git_repository: REPOSITORY, healthchecks: {}, ports: PORTS });
export const registry = () => ({ name: unique('registry'), kind: 'DOCKER_HUB', url: 'https://docker.io', config: {} });
export const container = () => ({ name: unique('cache'), image_name: 'library/redis', tag: '8', healthchecks: {}, ports: PORTS });
export const database = () => ({ name: unique('db'), type: 'POSTGRESQL', version: '17', mode: 'CONTAINER' });
export const job = () => ({
  name: unique('night'),
  healthchecks: {},
  source: { docker: { git_repository: REPOSITORY } },
  schedule: { cronjob: { scheduled_at: '0 3 * * *', timezone: 'Europe/Berlin' } },
});
