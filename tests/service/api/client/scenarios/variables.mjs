// Variables and secrets, per scope and for all scopes under one address.
import { equal, ok, refused, scenario } from '../play.mjs';

const keysOf = (list) => list.results.map((one) => one.key);

/** The same for every scope: `kind` as the client's operations name it. `above`: ids at a wider scope to override. */
async function variables(api, kind, id, above) {
  const list = async () => keysOf(await api[`list${kind}EnvironmentVariable`](id));
  const made = await api[`create${kind}EnvironmentVariable`](id, { key: 'COLOR', value: 'red', description: 'of the door' });
  equal(made.value, 'red');
  const edited = await api[`edit${kind}EnvironmentVariable`](id, made.id, { key: 'COLOR', value: 'green' });
  equal(edited.value, 'green');
  const alias = await api[`create${kind}EnvironmentVariableAlias`](id, made.id, { key: 'HUE' });
  equal([alias.value, alias.aliased_variable.key], ['green', 'COLOR']);
  if (above) {
    const override = await api[`create${kind}EnvironmentVariableOverride`](id, above.variable, { value: 'over' });
    equal([override.value, override.overridden_variable.value], ['over', 'outer']);
  }
  ok((await list()).includes('HUE'));
  await refused(api[`delete${kind}EnvironmentVariable`](id, made.id), 409, 'in_use');
  await api[`delete${kind}EnvironmentVariable`](id, alias.id);
  await api[`delete${kind}EnvironmentVariable`](id, made.id);
  ok(!(await list()).includes('COLOR'));
}

async function secrets(api, kind, id, above) {
  const list = async () => keysOf(await api[`list${kind}Secrets`](id));
  const made = await api[`create${kind}Secret`](id, { key: 'TOKEN', value: 'hush-hush' });
  const edited = await api[`edit${kind}Secret`](id, made.id, { key: 'TOKEN', value: 'hush-again', description: 'new' });
  equal(edited.description, 'new');
  const alias = await api[`create${kind}SecretAlias`](id, made.id, { key: 'SAME_TOKEN' });
  equal(alias.aliased_secret.key, 'TOKEN');
  if (above) {
    const override = await api[`create${kind}SecretOverride`](id, above.secret, { value: 'hush-over' });
    equal(override.overridden_secret.key, 'OUTER_SECRET');
  }
  ok((await list()).includes('SAME_TOKEN'));
  ok(!JSON.stringify([made, edited, alias, await api[`list${kind}Secrets`](id)]).includes('hush'));
  await api[`delete${kind}Secret`](id, alias.id);
  await api[`delete${kind}Secret`](id, made.id);
  ok(!(await list()).includes('TOKEN'));
}

/** A variable and a secret of the project, for narrower scopes to override. */
async function outer(api, projectId) {
  const variable = await api.createProjectEnvironmentVariable(projectId, { key: 'OUTER', value: 'outer' });
  const secret = await api.createProjectSecret(projectId, { key: 'OUTER_SECRET', value: 'hush-outer' });
  return { variable: variable.id, secret: secret.id };
}

async function both(world, kind, id, projectId) {
  const above = projectId ? await outer(world.api, projectId) : null;
  await variables(world.api, kind, id, above);
  await secrets(world.api, kind, id, above);
}

scenario('variables and secrets of a project', async (world) => {
  const project = await world.project();
  await both(world, 'Project', project.id);
});

scenario('variables and secrets of an environment', async (world) => {
  const environment = await world.environment();
  await both(world, 'Environment', environment.id, environment.project.id);
});

scenario('variables and secrets of an application', async (world) => {
  const environment = await world.environment();
  const web = await world.application({ environment: environment.id });
  await both(world, 'Application', web.id, environment.project.id);
});

scenario('variables and secrets of a container', async (world) => {
  const environment = await world.environment();
  const cache = await world.container({ environment: environment.id });
  await both(world, 'Container', cache.id, environment.project.id);
});

scenario('variables and secrets of a job', async (world) => {
  const environment = await world.environment();
  const night = await world.job({ environment: environment.id });
  await both(world, 'Job', night.id, environment.project.id);
});

scenario('nothing lies above a project that it could override', async (world) => {
  const project = await world.project();
  const { variable, secret } = await outer(world.api, project.id);
  await refused(world.api.createProjectEnvironmentVariableOverride(project.id, variable, { value: 'x' }), 409);
  await refused(world.api.createProjectSecretOverride(project.id, secret, { value: 'x' }), 409);
});

scenario('many variables are imported into a service', async (world) => {
  const { api } = world;
  for (const [made, kind, scope] of [
    [await world.application(), '', 'APPLICATION'],
    [await world.container(), 'Container', 'CONTAINER'],
    [await world.job(), 'Job', 'JOB'],
  ]) {
    const vars = [
      { name: 'A', value: '1', scope, is_secret: false },
      { name: 'B', value: 'hush', scope: 'ENVIRONMENT', is_secret: true },
    ];
    const done = await api[`import${kind}EnvironmentVariable`](made.id, { overwrite: false, vars });
    equal(done.successful_imported_variables.map((one) => one.name), ['A', 'B']);
    const again = { overwrite: true, vars: [{ ...vars[0], value: '2' }] };
    await api.importEnvironmentVariables(made.id, scope, again);
    const all = (await api.listVariables(made.id, scope)).results;
    equal(all.find((one) => one.key === 'A').value, '2');
  }
});

scenario('one address for variables of all scopes', async (world) => {
  const { api } = world;
  const environment = await world.environment();
  const web = await world.application({ environment: environment.id });
  const made = await api.createVariable({
    key: 'ANY', value: '1', is_secret: false, variable_scope: 'ENVIRONMENT', variable_parent_id: environment.id,
  });
  equal((await api.editVariable(made.id, { key: 'ANY', value: '2' })).value, '2');
  const alias = await api.createVariableAlias(made.id, { key: 'SAME', alias_scope: 'APPLICATION', alias_parent_id: web.id });
  equal(alias.value, '2');
  const override = await api.createVariableOverride(made.id, {
    value: '3', override_scope: 'APPLICATION', override_parent_id: web.id,
  });
  equal(override.value, '3');
  const seen = (await api.listVariables(web.id, 'APPLICATION')).results;
  equal(seen.find((one) => one.key === 'SAME').aliased_variable.key, 'ANY');
  await api.deleteVariable(alias.id);
  ok(!keysOf(await api.listVariables(web.id, 'APPLICATION')).includes('SAME'));
});
