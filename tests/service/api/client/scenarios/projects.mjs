// Projects, their rules, environments and stages.
import { equal, ok, refused, scenario, unique } from '../play.mjs';

const RULE = {
  timezone: 'Europe/Berlin',
  start_time: '1970-01-01T08:30:00.000Z',
  stop_time: '1970-01-01T19:00:00.000Z',
  weekdays: ['MONDAY', 'FRIDAY'],
  auto_stop: true,
};

scenario('a project is made, renamed, counted and deleted', async (world) => {
  const { api, organizationId: id } = world;
  const project = await world.project({ description: 'first' });
  const renamed = await api.editProject(project.id, { name: unique('renamed'), description: 'second' });
  equal((await api.getProject(project.id)).description, 'second');
  ok((await api.listProject(id)).results.some((one) => one.name === renamed.name));
  await api.createEnvironment(project.id, { name: 'main' });
  const stats = (await api.getOrganizationProjectStats(id)).results.find((one) => one.id === project.id);
  equal(stats.environment_total_number, 1);
  await refused(api.deleteProject(project.id), 409, 'in_use');
  const empty = await world.project();
  await api.deleteProject(empty.id);
  await refused(api.getProject(empty.id), 404);
});

scenario('an environment is made, renamed, listed everywhere, cloned and deleted', async (world) => {
  const { api } = world;
  const environment = await world.environment({ mode: 'STAGING' });
  await world.application({ environment: environment.id });
  await world.database({ environment: environment.id });
  const renamed = await api.editEnvironment(environment.id, { name: unique('renamed') });
  equal((await api.getEnvironment(environment.id)).name, renamed.name);
  const projectId = environment.project.id;
  equal((await api.listEnvironment(projectId)).results.map((one) => one.id), [environment.id]);
  ok((await api.listEnvironmentsByOrganizationId(world.organizationId)).results.some((one) => one.id === environment.id));
  const [stats] = (await api.getProjectEnvironmentServiceNumber(projectId)).results;
  equal(stats.service_total_number, 2);
  const copy = await api.cloneEnvironment(environment.id, { name: unique('copy'), mode: 'DEVELOPMENT' });
  equal((await api.listServicesByEnvironmentId(copy.id)).results.length, 2);
  ok((await api.listServicesByOrganizationId(world.organizationId, projectId)).results.length >= 4);
  ok((await api.listEnvironmentDatabaseConfig(environment.id)).results.length > 0);
  const empty = await api.createEnvironment(projectId, { name: 'empty' });
  await api.deleteEnvironment(empty.id);
  await refused(api.getEnvironment(empty.id), 404);
});

scenario('stages are ordered and hold every service once', async (world) => {
  const { api } = world;
  const environment = await world.environment();
  const web = await world.application({ environment: environment.id });
  const stages = (await api.listEnvironmentDeploymentStage(environment.id)).results;
  equal(stages.length, 4);
  const late = await api.createEnvironmentDeploymentStage(environment.id, { name: 'late' });
  equal((await api.moveBeforeDeploymentStage(late.id, stages[0].id)).results[0].name, 'late');
  equal((await api.moveAfterDeploymentStage(late.id, stages[1].id)).results[2].name, 'late');
  equal((await api.editDeploymentStage(late.id, { name: 'very late', description: 'x' })).name, 'very late');
  const after = (await api.attachServiceToDeploymentStage(late.id, web.id, { is_skipped: true })).results;
  equal(after.filter((one) => one.services.length).map((one) => one.name), ['very late']);
  equal((await api.getServiceDeploymentStage(web.id)).id, late.id);
  await refused(api.deleteDeploymentStage(late.id), 409, 'in_use');
  await api.attachServiceToDeploymentStage(stages[3].id, web.id);
  await api.deleteDeploymentStage(late.id);
  await refused(api.getDeploymentStage(late.id), 404);
  equal((await api.getDeploymentStage(stages[0].id)).name, stages[0].name);
});

scenario('a timetable of an environment is kept', async (world) => {
  const { api } = world;
  const environment = await world.environment();
  const rule = await api.getEnvironmentDeploymentRule(environment.id);
  equal(rule.auto_stop, false);
  const changed = await api.editEnvironmentDeploymentRule(environment.id, rule.id, RULE);
  equal(changed.weekdays, ['MONDAY', 'FRIDAY']);
  equal((await api.getEnvironmentDeploymentRule(environment.id)).timezone, 'Europe/Berlin');
});

scenario('rules of a project are kept in their order', async (world) => {
  const { api } = world;
  const project = await world.project();
  const body = { ...RULE, mode: 'STAGING', cluster_id: world.clusterId, wildcard: '[PR]*' };
  const first = await api.createDeploymentRule(project.id, { ...body, name: 'one' });
  const second = await api.createDeploymentRule(project.id, { ...body, name: 'two' });
  await api.updateDeploymentRulesPriorityOrder(project.id, { project_deployment_rule_ids_in_order: [second.id, first.id] });
  equal((await api.listProjectDeploymentRules(project.id)).results.map((one) => one.name), ['two', 'one']);
  await api.editProjectDeployemtnRule(project.id, first.id, { ...body, name: 'uno' });
  equal((await api.getProjectDeploymentRule(project.id, first.id)).name, 'uno');
  await api.deleteProjectDeploymentRule(project.id, second.id);
  await refused(api.getProjectDeploymentRule(project.id, second.id), 404);
});
