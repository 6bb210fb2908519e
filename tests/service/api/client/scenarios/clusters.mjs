// Clusters: those that run already are taken in, known by their engines, locked, and let go.
import { equal, ok, refused, scenario, unique } from '../play.mjs';

const TAKEN_IN = { region: 'rack-1', cloud_provider: 'ON_PREMISE', kubernetes: 'SELF_MANAGED' };

const takeIn = (world) => world.api.createCluster(world.organizationId, { name: unique('cluster'), ...TAKEN_IN });

scenario('a cluster is taken in, renamed and let go', async (world) => {
  const { api, organizationId: id } = world;
  const cluster = await takeIn(world);
  const renamed = await api.editCluster(id, cluster.id, { ...TAKEN_IN, name: unique('renamed') });
  ok((await api.listOrganizationCluster(id)).results.some((one) => one.name === renamed.name));
  equal((await api.getClusterReadinessStatus(id, cluster.id)).is_ready, false);
  await refused(api.deployCluster(id, cluster.id), 409, 'cluster.not_connected');
  await refused(api.stopCluster(id, cluster.id), 409, 'unsupported');
  await api.deleteCluster(id, cluster.id);
  ok(!(await api.listOrganizationCluster(id)).results.some((one) => one.id === cluster.id));
});

scenario('a cluster is what its engine says', async (world) => {
  const { api, organizationId: id, clusterId } = world;
  equal((await api.getClusterReadinessStatus(id, clusterId)).is_ready, true);
  await api.deployCluster(id, clusterId);
  equal((await api.getClusterStatus(id, clusterId)).cluster_id, clusterId);
  ok((await api.getOrganizationClusterStatus(id)).results.some((one) => one.cluster_id === clusterId));
  const environment = await world.environment();
  const there = (await api.getEnvironmentsByClusterId(clusterId)).results;
  ok(there.some((one) => one.environment_id === environment.id));
  equal((await api.listClusterLogs(id, clusterId)).results, []);
});

scenario('a locked cluster is left alone', async (world) => {
  const { api, organizationId: id } = world;
  const cluster = await takeIn(world);
  equal((await api.lockCluster(cluster.id, { reason: 'audit', ttl_in_days: 2 })).reason, 'audit');
  ok((await api.listClusterLock(id)).results.some((one) => one.cluster_id === cluster.id));
  await refused(api.deleteCluster(id, cluster.id), 409, 'cluster.locked');
  await api.unlockCluster(cluster.id);
  ok(!(await api.listClusterLock(id)).results.some((one) => one.cluster_id === cluster.id));
  await api.deleteCluster(id, cluster.id);
});

scenario('settings of a cluster are shown, and what has no effect is refused', async (world) => {
  const { api, organizationId: id, clusterId } = world;
  const defaults = await api.getDefaultClusterAdvancedSettings();
  equal(await api.getClusterAdvancedSettings(id, clusterId), defaults);
  equal(await api.editClusterAdvancedSettings(id, clusterId, defaults), defaults);
  equal((await api.getRoutingTable(id, clusterId)).results, []);
  equal((await api.editRoutingTable(id, clusterId, { routes: [] })).results, []);
  await refused(api.editRoutingTable(id, clusterId, { routes: [{ destination: '10.0.0.0/8', target: 'x', description: '' }] }), 422);
  const cloud = await api.getOrganizationCloudProviderInfo(id, clusterId);
  equal(await api.specifyClusterCloudProviderInfo(id, clusterId, cloud), cloud);
  await refused(api.getClusterKubeconfig(id, clusterId), 409, 'unsupported');
});
