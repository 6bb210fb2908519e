// Deploying, stopping, restarting, cancelling; states, histories and queues. The engine is played by the test.
import { equal, eventually, ok, refused, scenario, unique } from '../play.mjs';

const ENDED = ['DEPLOYED', 'DEPLOYMENT_ERROR', 'BUILD_ERROR', 'CANCELED', 'STOPPED', 'RESTARTED', 'DELETED', 'STOP_ERROR',
  'DELETE_ERROR', 'RESTART_ERROR'];

/** Waits until a service's last action came to this. */
const became = (api, kind, id, state) => (
  eventually(() => api[`get${kind}Status`](id), (status) => status.state === state)
);

/** An application with a commit that can be deployed. */
async function pushed(world, fields = {}) {
  const web = await world.application({ auto_deploy: false, git_repository: { url: '', provider: 'SLIPWAY' }, ...fields });
  const { commit } = await world.outside('push', { kind: 'application', id: web.id });
  return { ...web, commit };
}

scenario('an application is deployed, restarted, stopped, deployed again and uninstalled', async (world) => {
  const { api } = world;
  const web = await pushed(world);
  const asked = await api.deployApplication(web.id, { git_commit_id: web.commit });
  equal(asked.id, web.id);
  await became(api, 'Application', web.id, 'DEPLOYED');
  await api.rebootApplication(web.id);
  await became(api, 'Application', web.id, 'RESTARTED');
  await api.stopApplication(web.id);
  await became(api, 'Application', web.id, 'STOPPED');
  await api.redeployApplication(web.id);
  await became(api, 'Application', web.id, 'DEPLOYED');
  const history = (await api.listApplicationDeploymentHistory(web.id)).results;
  equal(history.length, 4);
  const detailed = (await api.listApplicationDeploymentHistoryV2(web.id)).results;
  equal(detailed.length, 4);
  equal((await api.listDeploymentRequestByServiceId(web.id)).results, []);
  await api.uninstallApplication(web.id);
  await eventually(() => api.getApplicationStatus(web.id), (status) => !status.state.startsWith('DELET') || status.state === 'DELETED');
  equal((await api.getApplication(web.id)).id, web.id);
  ok((await api.getEnvironmentApplicationStatus(web.environment.id)).results.some((one) => one.id === web.id));
});

scenario('a container is deployed, restarted, stopped, deployed again and uninstalled', async (world) => {
  const { api } = world;
  const cache = await world.container({ auto_deploy: false });
  await api.deployContainer(cache.id, { image_tag: '8' });
  await became(api, 'Container', cache.id, 'DEPLOYED');
  await api.rebootContainer(cache.id);
  await became(api, 'Container', cache.id, 'RESTARTED');
  await api.stopContainer(cache.id);
  await became(api, 'Container', cache.id, 'STOPPED');
  await api.redeployContainer(cache.id);
  await became(api, 'Container', cache.id, 'DEPLOYED');
  equal((await api.listContainerDeploymentHistory(cache.id)).results.length, 4);
  equal((await api.listContainerDeploymentHistoryV2(cache.id)).results.length, 4);
  await api.uninstallContainer(cache.id);
  equal((await api.getContainer(cache.id)).id, cache.id);
  ok((await api.getEnvironmentContainerStatus(cache.environment.id)).results.some((one) => one.id === cache.id));
});

scenario('a database is deployed, restarted, stopped, deployed again and uninstalled', async (world) => {
  const { api } = world;
  const db = await world.database();
  await api.deployDatabase(db.id);
  await became(api, 'Database', db.id, 'DEPLOYED');
  await api.rebootDatabase(db.id);
  await became(api, 'Database', db.id, 'RESTARTED');
  await api.stopDatabase(db.id);
  await became(api, 'Database', db.id, 'STOPPED');
  await api.redeployDatabase(db.id);
  await became(api, 'Database', db.id, 'DEPLOYED');
  equal((await api.listDatabaseDeploymentHistory(db.id)).results.length, 4);
  equal((await api.listDatabaseDeploymentHistoryV2(db.id)).results.length, 4);
  await api.uninstallDatabase(db.id);
  equal((await api.getDatabase(db.id)).id, db.id);
  ok((await api.getEnvironmentDatabaseStatus(db.environment.id)).results.some((one) => one.id === db.id));
});

scenario('a job is deployed, stopped, deployed again and uninstalled', async (world) => {
  const { api } = world;
  const night = await world.job({ auto_deploy: false, schedule: { on_start: {} } });
  const { commit } = await world.outside('push', { kind: 'job', id: night.id });
  await api.deployJob(night.id, undefined, { git_commit_id: commit });
  await became(api, 'Job', night.id, 'DEPLOYED');
  await api.stopJob(night.id);
  await became(api, 'Job', night.id, 'STOPPED');
  await api.redeployJob(night.id);
  await became(api, 'Job', night.id, 'DEPLOYED');
  equal((await api.listJobDeploymentHistory(night.id)).results.length, 3);
  equal((await api.listJobDeploymentHistoryV2(night.id)).results.length, 3);
  await api.uninstallJob(night.id);
  equal((await api.getJob(night.id)).id, night.id);
  ok((await api.getEnvironmentJobStatus(night.environment.id)).results.some((one) => one.id === night.id));
});

/** Waits until nothing moves in the environment. */
const calm = (api, id) => eventually(() => api.getEnvironmentStatus(id), (status) => ENDED.includes(status.state));

scenario('an environment is deployed, stopped, deployed again and told of', async (world) => {
  const { api } = world;
  const web = await pushed(world);
  const id = web.environment.id;
  ok((await api.deployEnvironment(id)).id);
  await became(api, 'Application', web.id, 'DEPLOYED');
  await calm(api, id);
  const statuses = await api.getEnvironmentStatuses(id);
  equal([statuses.environment.id, statuses.applications.map((one) => one.id)], [id, [web.id]]);
  const staged = await api.getEnvironmentStatusesWithStages(id);
  ok(staged.stages.flatMap((stage) => stage.applications).some((one) => one.id === web.id));
  const project = (await api.getEnvironment(id)).project.id;
  ok((await api.getProjectEnvironmentsStatus(project)).results.some((one) => one.id === id));
  await api.stopEnvironment(id);
  await became(api, 'Application', web.id, 'STOPPED');
  await api.redeployEnvironment(id);
  await became(api, 'Application', web.id, 'DEPLOYED');
  equal((await api.listEnvironmentDeploymentHistory(id)).results.length, 3);
  equal((await api.listEnvironmentDeploymentHistoryV2(id)).results.length, 3);
  await api.uninstallEnvironment(id);
  await eventually(() => api.listEnvironmentDeploymentHistory(id), (all) => all.results.length === 4);
});

scenario('chosen services are deployed, restarted, stopped, uninstalled and deleted', async (world) => {
  const { api } = world;
  const web = await pushed(world);
  const id = web.environment.id;
  await api.deployAllServices(id, { applications: [{ application_id: web.id, git_commit_id: web.commit }] });
  await became(api, 'Application', web.id, 'DEPLOYED');
  await api.rebootServices(id, { application_ids: [web.id] });
  await became(api, 'Application', web.id, 'RESTARTED');
  await api.stopSelectedServices(id, { application_ids: [web.id] });
  await became(api, 'Application', web.id, 'STOPPED');
  await api.uninstallSelectedServices(id, { application_ids: [web.id] });
  await calm(api, id);
  await api.deleteSelectedServices(id, undefined, { application_ids: [web.id] });
  await eventually(() => api.getApplication(web.id).then(() => 200, (no) => no.status), (status) => status === 404);
});

scenario('a deployment that waits is seen and cancelled, one that runs too', async (world) => {
  const { api } = world;
  const web = await pushed(world);
  const id = web.environment.id;
  await world.outside('hold');
  try {
    await api.deployApplication(web.id, { git_commit_id: web.commit });
    await api.stopEnvironment(id);
    const queue = await eventually(() => api.listDeploymentRequestByEnvironmentId(id), (all) => all.results.length > 0);
    const [waiting] = queue.results;
    await api.cancelDeploymentRequest(waiting.identifier.deployment_request_id, {});
    await eventually(() => api.listDeploymentRequestByEnvironmentId(id), (all) => !JSON.stringify(all).includes(waiting.identifier.deployment_request_id));
    await api.cancelEnvironmentDeployment(id, { force_cancel: true });
  } finally {
    await world.outside('release');
  }
  await became(api, 'Application', web.id, 'CANCELED');
});
