// Applications, containers, databases and jobs: made, edited, cloned, their settings and parts.
import { equal, ok, refused, scenario, unique } from '../play.mjs';
import { REPOSITORY, job } from '../world.mjs';

const HEALTHY = { healthchecks: {} };

scenario('an application is made, edited, listed and cloned', async (world) => {
  const { api } = world;
  const web = await world.application();
  const edited = await api.editApplication(web.id, { ...HEALTHY, name: unique('renamed'), memory: 512, git_repository: REPOSITORY });
  equal(edited.memory, 512);
  equal((await api.getApplication(web.id)).name, edited.name);
  equal((await api.listApplication(web.environment.id)).results.map((one) => one.id), [web.id]);
  const copy = await api.cloneApplication(web.id, { name: unique('copy'), environment_id: web.environment.id });
  equal(copy.memory, 512);
  equal((await api.listApplication(web.environment.id)).results.length, 2);
  ok((await api.listApplicationLinks(web.id)).results[0].url.startsWith('http'));
  equal((await api.listEnvironmentServicesLinks(web.environment.id)).results.length, 2);
  await api.deleteApplication(copy.id);
  await refused(api.getApplication(copy.id), 404);
});

scenario('a container is made, edited, listed and cloned', async (world) => {
  const { api } = world;
  const cache = await world.container();
  const edited = await api.editContainer(cache.id, {
    ...HEALTHY, name: unique('renamed'), image_name: 'library/redis', tag: '8.2', registry_id: cache.registry.id,
  });
  equal(edited.tag, '8.2');
  equal((await api.getContainer(cache.id)).name, edited.name);
  const copy = await api.cloneContainer(cache.id, { name: unique('copy'), environment_id: cache.environment.id });
  equal((await api.listContainer(cache.environment.id)).results.length, 2);
  ok((await api.listContainerLinks(cache.id)).results.length > 0);
  await api.deleteContainer(copy.id);
  await refused(api.getContainer(copy.id), 404);
});

scenario('a database is made, edited, listed and cloned', async (world) => {
  const { api } = world;
  const db = await world.database();
  const edited = await api.editDatabase(db.id, { name: unique('renamed'), memory: 512, version: '17' });
  equal(edited.memory, 512);
  equal((await api.getDatabase(db.id)).name, edited.name);
  ok((await api.listDatabaseVersion(db.id)).results.some((one) => one.name === '17'));
  const copy = await api.cloneDatabase(db.id, { name: unique('copy'), environment_id: db.environment.id });
  equal((await api.listDatabase(db.environment.id)).results.length, 2);
  await api.deleteDatabase(copy.id);
  await refused(api.getDatabase(copy.id), 404);
});

scenario('a job is made, edited, listed and cloned', async (world) => {
  const { api } = world;
  const night = await world.job();
  const edited = await api.editJob(night.id, { ...job(), schedule: { cronjob: { scheduled_at: '30 4 * * *', timezone: 'UTC' } } });
  equal(edited.schedule.cronjob.scheduled_at, '30 4 * * *');
  equal((await api.getJob(night.id)).name, edited.name);
  const copy = await api.cloneJob(night.id, { name: unique('copy'), environment_id: night.environment.id });
  equal((await api.listJobs(night.environment.id)).results.length, 2);
  await api.deleteJob(copy.id);
  await refused(api.getJob(copy.id), 404);
});

scenario('advanced settings are known keys, with defaults', async (world) => {
  const { api } = world;
  const key = 'deployment.termination_grace_period_seconds';
  for (const [made, kind, short] of [
    [await world.application(), 'Application', ''],
    [await world.container(), 'Container', 'Container'],
    [await world.job(), 'Job', 'Job'],
  ]) {
    const defaults = await api[`getDefault${kind}AdvancedSettings`]();
    equal(await api[`get${short}AdvancedSettings`](made.id), defaults);
    equal((await api[`edit${short}AdvancedSettings`](made.id, { [key]: 5 }))[key], 5);
    equal((await api[`get${short}AdvancedSettings`](made.id))[key], 5);
    await refused(api[`edit${short}AdvancedSettings`](made.id, { 'no.such.setting': 5 }), 422);
  }
});

scenario('the network of a service is as it is', async (world) => {
  const { api } = world;
  for (const [made, kind] of [[await world.application(), 'Application'], [await world.container(), 'Container']]) {
    equal((await api[`get${kind}Network`](made.id)).sticky_session, false);
    equal((await api[`edit${kind}Network`](made.id, { sticky_session: false })).sticky_session, false);
  }
});

scenario('custom domains of a service are added, checked and taken away', async (world) => {
  const { api } = world;
  for (const [made, kind, short] of [
    [await world.application(), 'Application', ''],
    [await world.container(), 'Container', 'Container'],
  ]) {
    const domain = `${unique('shop').replace(' ', '-')}.example.com`;
    const body = { domain, generate_certificate: false };
    const added = await api[`create${kind}CustomDomain`](made.id, body);
    equal((await api[`list${kind}CustomDomain`](made.id)).results.map((one) => one.domain), [domain]);
    await api[`edit${short}CustomDomain`](made.id, added.id, { ...body, domain: `www.${domain}` });
    equal((await api[`get${short}CustomDomainStatus`](made.id, added.id)).domain, `www.${domain}`);
    equal((await api[`check${kind}CustomDomain`](made.id)).results.length, 1);
    await api[`delete${short}CustomDomain`](made.id, added.id);
    equal((await api[`list${kind}CustomDomain`](made.id)).results, []);
  }
});

scenario('restrictions say which paths deploy a service', async (world) => {
  const { api } = world;
  for (const [made, kind] of [[await world.application(), 'Application'], [await world.job(), 'Job']]) {
    const body = { mode: 'EXCLUDE', type: 'PATH', value: 'docs/' };
    const one = await api[`create${kind}DeploymentRestriction`](made.id, body);
    await api[`edit${kind}DeploymentRestriction`](made.id, one.id, { ...body, value: 'doc/' });
    equal((await api[`get${kind}DeploymentRestrictions`](made.id)).results.map((each) => each.value), ['doc/']);
    await api[`delete${kind}DeploymentRestriction`](made.id, one.id);
    equal((await api[`get${kind}DeploymentRestrictions`](made.id)).results, []);
  }
});

scenario('commits, people and lines of a service are shown', async (world) => {
  const { api } = world;
  const web = await world.application({ auto_deploy: false });
  const night = await world.job({ auto_deploy: false });
  const { commit } = await world.outside('push', { kind: 'application', id: web.id });
  await world.outside('push', { kind: 'job', id: night.id });
  ok((await api.listApplicationCommit(web.id)).results.some((one) => one.git_commit_id === commit));
  ok((await api.listJobCommit(night.id)).results.length > 0);
  equal((await api.listApplicationContributor(web.id)).results.map((one) => one.first_name), ['Ada']);
  await world.outside('log', { environmentId: web.environment.id, serviceId: web.id, lines: ['one', 'two'] });
  equal((await api.listApplicationLog(web.id)).results.map((one) => one.message), ['one', 'two']);
  const cache = await world.container({ environment: web.environment.id });
  await world.outside('log', { environmentId: web.environment.id, serviceId: cache.id, lines: ['three'] });
  equal((await api.listContainerLog(cache.id)).results.map((one) => one.message), ['three']);
});
